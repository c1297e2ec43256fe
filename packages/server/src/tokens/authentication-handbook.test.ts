import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { createJwtVerifier, refusalReasons } from '@holdfast/hub';
import { describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { toTokenOptions } from '../config/token-options.ts';
import { testConfig } from '../testing/test-config.ts';

const handbook = readFileSync(
  path.join(import.meta.dirname, '../../../../docs/authentication.md'),
  'utf8',
);

function blockOf(language: string): string {
  return new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(handbook)?.[1] ?? '';
}

function section(title: string): string {
  return handbook.split(/^## /m).find((text) => text.startsWith(title)) ?? '';
}

/** Names in backticks in the first column of the tables of a text. */
function firstColumn(text: string): readonly string[] {
  return Array.from(text.matchAll(/^\|([^|]+)\|/gm), ([, cell = '']) => cell)
    .flatMap((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name))
    .toSorted();
}

interface Backend {
  connectionToken(user: object): Promise<string>;
  subscriptionToken(user: object, channel: string): Promise<string>;
}

describe('the handbook', () => {
  test('has a backend that makes good tokens', async () => {
    const secret = 'put the output of "openssl rand -hex 32" here';
    const { config } = testConfig({ client: { token: { hmac_secret_key: secret } } });
    expect(handbook).toContain(`hmac_secret_key: '${secret}'`);
    expect(config.client.token.hmac_secret_key.reveal()).toBe(secret);

    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-handbook-'));
    vi.stubEnv('TOKEN_SECRET', secret);
    try {
      const file = path.join(folder, 'backend.mjs');
      // The example stands outside the workspace, so it is told where the package is.
      writeFileSync(file, blockOf('js').replace(`'jose'`, `'${import.meta.resolve('jose')}'`));
      const backend = (await import(pathToFileURL(file).href)) as Backend;
      const verifier = createJwtVerifier({ hmacSecretKey: secret });
      const user = { id: 42, name: 'Ann' };
      expect(await verifier.verifyConnection(await backend.connectionToken(user))).toMatchObject({
        user: '42',
        info: Buffer.from('{"name":"Ann"}'),
      });
      const token = await backend.subscriptionToken(user, '$team-7');
      expect(await verifier.verifySubscription(token)).toMatchObject({
        user: '42',
        channel: '$team-7',
      });
    } finally {
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true });
    }
  });

  test('explains every reason of a refusal, and no other', () => {
    expect(firstColumn(section('What clients get'))).toEqual(
      Object.keys(refusalReasons).toSorted(),
    );
  });

  test('names every option of client.token, and no other', () => {
    const { token } = testConfig({}).config.client;
    const tables = firstColumn(section('Keys') + section('Audience and issuer'));
    const inText = ['exp_leeway', 'nbf_leeway', 'insecure_skip_jwks_endpoint_safety_check'];
    for (const name of inText) expect(handbook).toContain(`\`${name}\``);
    expect([...tables, ...inText].toSorted()).toEqual(Object.keys(token).toSorted());
  });

  test('shows configurations that work', () => {
    const examples = Array.from(handbook.matchAll(/```yaml\n(.*?)```/gs), ([, text = '']) => text);
    expect(examples).toHaveLength(3);
    for (const text of examples) {
      const { config } = testConfig(parse(text) as object);
      expect(toTokenOptions(config).connection).toBeDefined();
    }
  });
});
