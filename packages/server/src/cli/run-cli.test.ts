import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CommandLineRun, runCommandLine } from '../testing/command-line.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(path.join(tmpdir(), 'holdfast-cli-'));
});

afterEach(() => {
  rmSync(cwd, { recursive: true, force: true });
});

function run(
  args: readonly string[],
  how?: Parameters<typeof runCommandLine>[2],
): Promise<CommandLineRun> {
  return runCommandLine(cwd, args, how);
}

function write(name: string, text: string): void {
  writeFileSync(path.join(cwd, name), text);
}

describe('the command line', () => {
  test.each([[['--help']], [['help']], [['serve', '--help']], [['config', 'explain', '--help']]])(
    '%o helps',
    async (args) => {
      const { code, out } = await run(args);
      expect(code).toBe(0);
      expect(out).toContain('Usage: holdfast');
    },
  );

  test.each([
    [['serv'], 'Did you mean serve?'],
    [['serve', '--prot', '1'], 'Did you mean --port?'],
    [['serve', 'extra'], 'too many arguments'],
    [['config', 'print', '--format', 'xml'], 'Allowed choices are yaml, json, toml'],
    [['serve', '--set', 'x'], 'KEY=VALUE'],
    [['token', 'create', '--ttl', 'soon'], 'duration'],
  ])('%o is wrong usage', async (args, hint) => {
    const { code, err } = await run(args);
    expect(code).toBe(2);
    expect(err).toContain(hint);
  });

  test('tells its version', async () => {
    expect(await run(['version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^holdfast \d/),
    });
    expect(await run(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^holdfast \d/),
    });
  });
});

describe('config check', () => {
  test('says that a configuration can work, and what sets it', async () => {
    write('config.yaml', 'http_server: { port: 1 }');
    const { code, out, err } = await run(['config', 'check', '--set', 'log.level=debug'], {
      environment: { HOLDFAST_CLIENT_CONCURRENCY: '2' },
    });
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(
      'The configuration can work. Options set: 1 by config.yaml, 1 by flags, 1 by the environment.',
    );
    expect(existsSync(path.join(cwd, 'data'))).toBe(false);
  });

  test('says everything that is wrong, with reason, remedy and source', async () => {
    write(
      'mine.json',
      '{"client":{"ping_interval":"5s"},"channel":{"namespaces":[{"name":"x"}]},"nix":1}',
    );
    const { code, out, err } = await run(['config', 'check', 'mine.json']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(`warning nix (file mine.json): There is no such option; it has no effect.
error client.ping_interval is 5s, not longer than client.pong_timeout (8s)
  because the next ping would go out before the answer to the last one is overdue.
  Make client.ping_interval longer or client.pong_timeout shorter.
  Set by: file mine.json
error channel.namespaces[x].name is "x"
  because a name is two characters or more, of letters, digits, "_", "." and "-".
  Choose another name.
  Set by: file mine.json
2 problems: the server would not start.`);
  });

  test('says of a folder that it is one', async () => {
    expect((await run(['config', 'check', '.'])).err).toContain(
      'cannot be read\n  because it is a folder.\n  Name the file in it.',
    );
  });

  test('says in a sentence what is wrong with a key', async () => {
    const { err } = await run(['config', 'check', '--set', 'client.token.rsa_public_key=x']);
    expect(err).toContain('cannot work\n  because it is not a public key in PEM');
  });

  test('fails for warnings too when it is strict', async () => {
    write('config.json', '{"nix":1}');
    expect((await run(['config', 'check'])).code).toBe(0);
    expect((await run(['config', 'check', '--strict'])).code).toBe(1);
  });

  test('warns of a token secret that can be guessed, without showing it', async () => {
    write('config.json', '{"client":{"token":{"hmac_secret_key":"tiny-secret"}}}');
    const { code, out, err } = await run(['config', 'check']);
    expect([code, out.endsWith('With 1 warning.')]).toEqual([0, true]);
    expect(err).toMatch(/^warning client\.token: hmac_secret_key is 11 bytes long/);
    expect(err).not.toContain('tiny');
  });

  test('names a file that cannot be read', async () => {
    // Root reads everything; a folder in the place of a file is refused to everybody.
    const { code, err } = await run(['config', 'check', '.']);
    expect(code).toBe(1);
    expect(err).toContain('cannot be read');
  });

  test('names a data folder whose secrets are damaged', async () => {
    await run(['token', 'create']);
    write('data/secrets.json', '{}');
    const { code, err } = await run(['config', 'check']);
    expect(code).toBe(1);
    expect(err).toContain('data_dir cannot be used');
    expect(err).toContain('Restore it from a backup, or delete it');
  });

  test('notices secrets that others can read', async () => {
    await run(['token', 'create']);
    const file = path.join(cwd, 'data/secrets.json');
    chmodSync(file, 0o644);
    expect((await run(['config', 'check'])).err).toContain(`chmod 600 ${file}`);
  });
});

describe('config print', () => {
  test('masks secrets unless told otherwise', async () => {
    write('config.toml', '[http_api]\nkey = "geheim"');
    const masked = await run(['config', 'print', '--format', 'json']);
    expect(JSON.parse(masked.out)).toMatchObject({
      http_api: { key: '***' },
      http_server: { port: 8000 },
    });
    const short = await run([
      'config',
      'print',
      '--format',
      'toml',
      '--set-only',
      '--show-secrets',
    ]);
    expect(short.out).toContain('key = "geheim"');
  });

  test('prints nothing of a configuration that cannot work', async () => {
    const { code, out, err } = await run(['config', 'print', '--port', '-1']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('http_server.port is "-1"');
    expect(err).toContain('Set by: flag --port');
  });
});

describe('config explain', () => {
  test('tells where a value comes from', async () => {
    const { out } = await run(['config', 'explain', 'http_server.port', '-p', '7']);
    expect(out).toContain('value:    7');
    expect(out).toContain('from:     flag --port');
  });

  test('guesses what was meant', async () => {
    const { code, err } = await run(['config', 'explain', 'http_server.prot']);
    expect(code).toBe(1);
    expect(err).toBe(
      'There is no option or section http_server.prot. Did you mean http_server.port?',
    );
  });
});

describe('config generate', () => {
  test('writes a private file, once, that works', async () => {
    const written = await run(['config', 'generate', '--output', 'config.yaml']);
    expect(written).toMatchObject({ code: 0, out: '' });
    const file = path.join(cwd, 'config.yaml');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, 'utf8');
    const again = await run(['config', 'generate', '--output', 'config.yaml']);
    expect(again.code).toBe(1);
    expect(again.err).toContain('it exists');
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect((await run(['config', 'check', '--strict'])).code).toBe(0);
  });

  test('prints without --output', async () => {
    const { out } = await run(['config', 'generate', '--format', 'json']);
    expect(JSON.parse(out)).toHaveProperty('client.token.hmac_secret_key');
  });
});

describe('token', () => {
  test('makes a token that is accepted, with the secret of the first start', async () => {
    const made = await run([
      'token',
      'create',
      '--user',
      '42',
      '--ttl',
      '90s',
      '--info',
      '{"a":1}',
    ]);
    expect(made.code).toBe(0);
    expect(made.out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(made.err).toContain('expires in 90 s');
    const checked = await run(['token', 'check'], { input: `${made.out}\n` });
    expect(checked.code).toBe(0);
    expect(checked.out).toContain('user:     "42"');
  });

  test('says why a token is refused', async () => {
    const made = await run(['token', 'create', '--channel', 'news']);
    const { code, out } = await run([
      'token',
      'check',
      made.out,
      '--set',
      `client.token.hmac_secret_key=${'other'.repeat(9)}`,
    ]);
    expect(code).toBe(1);
    expect(out).toContain('refused');
    expect(out).toContain('to do:');
  });

  test('makes none where tokens are signed elsewhere', async () => {
    const { code, out, err } = await run([
      'token',
      'create',
      '--set',
      'client.token.jwks_public_endpoint=https://example.com/keys',
    ]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('no token can be made here');
  });
});

describe('serve', () => {
  test('starts nothing with a configuration that cannot work', async () => {
    const { code, out, err } = await run(['serve', '--set', 'client.ping_interval=1s']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('client.ping_interval is 1s');
    expect(err).toContain('The server was not started.');
    expect(existsSync(path.join(cwd, 'data'))).toBe(false);
  });
});
