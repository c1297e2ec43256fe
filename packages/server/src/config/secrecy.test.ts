import { inspect } from 'node:util';
import { array, assert, constantFrom, property, record, string, tuple } from 'fast-check';
import { describe, expect, test } from 'vitest';
import pc from 'picocolors';
import { describeProblem, describeWarning } from '../cli/describe-findings.ts';
import { loadFrom, type TestInput } from '../testing/load-from.ts';
import { testConfig } from '../testing/test-config.ts';
import { effectiveOptions } from './effective-options.ts';
import { envName } from './env.ts';
import { explain } from './explain.ts';
import { configFormats, printConfig } from './print-config.ts';
import { mask, Secret } from './secret.ts';

const plain = pc.createColors(false);

/** In every secret that a test configures; it must never come out again. */
const marker = 'b7e23ec29af22b0b';

/** Configured so that every kind of secret has a place. */
const places = {
  proxies: [{ name: 'hook', endpoint: 'http://127.0.0.1' }],
  channel: { namespaces: [{ name: 'chat' }] },
};

const secretOptions = effectiveOptions(testConfig(places).config).filter(
  ({ node }) => node.kind === 'secret' || node.kind === 'secretMap',
);

/** URLs are no secrets but hold some. */
const urls = ['user:MARK@', 'MARK@', 'user:p@MARK@'].map(
  (user) => `http://${user}127.0.0.1/?key=MARK`,
);

/** One thing more, which makes the configuration refused, or warned about, or neither. */
const company: readonly object[] = [
  {},
  { http_server: { port: 'x' } },
  { client: { ping_interval: '1s', allowed_origins: '*' } },
  { client: { token: { hmac_secret_key: 5 } } },
  { http_api: { key: ['MARK'] } },
  { admin: 'MARK' },
  { http_server: { tls: { enabled: true } } },
  { client: { subscription_token: { enabled: true } } },
];

function mark(value: unknown, secret: string): unknown {
  return JSON.parse(
    JSON.stringify(value).replaceAll('MARK', () => JSON.stringify(secret).slice(1, -1)),
  );
}

/** Everything that is ever printed, logged or shown about a configuration. */
function outputsOf(input: TestInput): readonly string[] {
  const result = loadFrom(input);
  const warnings = result.warnings.map((warning) => describeWarning(warning, plain));
  if ('errors' in result) {
    return [
      ...warnings,
      ...result.errors.map((error) => describeProblem(error, plain)),
      inspect(result, { depth: 9 }),
    ];
  }
  const { config, sources } = result;
  return [
    ...warnings,
    ...configFormats.map((format) => printConfig(config, { format, revealed: false })),
    ...configFormats.map((format) =>
      printConfig(config, { format, revealed: false, onlySet: sources }),
    ),
    JSON.stringify(explain(result)),
    ...effectiveOptions(config).map(({ key }) => JSON.stringify(explain(result, key))),
    ...secretOptions.map(({ key }) => JSON.stringify(explain(result, key))),
    JSON.stringify({ ...config, proxies: [], client: { ...config.client, proxy: {} } }),
    inspect({ ...config, proxies: [], client: { ...config.client, proxy: {} } }, { depth: 9 }),
  ];
}

describe('secrets', () => {
  test('are in no output, wherever they come from and whatever else is configured', () => {
    const secrets = array(
      tuple(constantFrom(...secretOptions), constantFrom('file', 'environment', 'flag')),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    const inputs = record({
      secrets,
      around: tuple(string(), string()),
      url: constantFrom(...urls),
      others: constantFrom(...company),
    });
    assert(
      property(inputs, ({ secrets: chosen, around, url, others }) => {
        const secret = around.join(marker).replaceAll(/[\s\0[\]{}]/g, '');
        const endpoint = url.replaceAll('MARK', encodeURIComponent(secret).replaceAll('%', ''));
        const file = mark(
          { ...places, client: { proxy: { connect: { enabled: true, endpoint } } }, ...others },
          secret,
        );
        const environment: Record<string, string> = {};
        const flags: { flag: string; key: string; value: string }[] = [];
        for (const [{ path, key, node }, source] of chosen) {
          const value = node.kind === 'secretMap' ? JSON.stringify({ 'X-Key': secret }) : secret;
          if (source === 'environment') environment[envName(path, ['hook'])] = value;
          else if (source === 'flag') flags.push({ flag: `--set ${key}`, key, value });
          else
            setIn(
              file as Record<string, unknown>,
              path,
              node.kind === 'secretMap' ? { 'X-Key': secret } : value,
            );
        }
        const files = { 'config.json': JSON.stringify(file) };
        for (const output of outputsOf({ files, environment, flags })) {
          expect(output).not.toContain(marker);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('become a mask in whatever way they become text', () => {
    const secret = new Secret(marker);
    const texts = [
      // oxlint-disable-next-line typescript/restrict-template-expressions -- the accident that is tested
      `${secret}`,
      String(secret),
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ deep: [secret] }, { depth: 9, showHidden: true }),
      Object.values(secret).join(''),
    ];
    for (const text of texts) expect(text).not.toContain(marker);
    expect(texts[0]).toBe(mask);
    expect(secret.reveal()).toBe(marker);
  });

  test('are printed when that is asked for', () => {
    const { config } = testConfig({ http_api: { key: marker } });
    for (const format of configFormats) {
      expect(printConfig(config, { format, revealed: true })).toContain(marker);
    }
  });
});

function setIn(
  root: Record<string, unknown>,
  path: readonly (string | number)[],
  value: unknown,
): void {
  let target = root as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) {
    const next = target[step];
    // Something else of the configuration may stand where a section belongs.
    if (next !== undefined && (typeof next !== 'object' || next === null)) return;
    target[step] = next ?? {};
    target = target[step] as Record<string | number, unknown>;
  }
  target[path.at(-1) ?? ''] = value;
}
