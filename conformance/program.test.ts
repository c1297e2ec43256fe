import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Centrifuge } from 'centrifuge';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startProgram, type Program } from './program.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(path.join(tmpdir(), 'holdfast-program-'));
});

afterEach(() => {
  rmSync(cwd, { recursive: true, force: true });
});

function start(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Program {
  const program = startProgram(args, { cwd, environment });
  onTestFinished(() => {
    program.process.kill('SIGKILL');
  });
  return program;
}

/** Serves on a free port; resolves when it listens, with its first address. */
async function serve(
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
) {
  const program = start(['serve', '--port', '0', ...args], environment);
  const [, url = ''] = await program.seen(/"addresses":\["(http[^"]+)"/);
  return { program, url };
}

interface StoredSecrets {
  readonly token_hmac_secret_key: string;
  readonly api_key: string;
  readonly admin_secret: string;
}

function storedSecrets(): StoredSecrets {
  return JSON.parse(readFileSync(path.join(cwd, 'data/secrets.json'), 'utf8')) as StoredSecrets;
}

async function run(args: readonly string[]) {
  const program = start(args);
  program.process.stdin.end();
  return { code: await program.ended, ...program.output };
}

describe('holdfast serve without any configuration', () => {
  test('makes its secrets, serves a client with a token, and ends in order', async () => {
    const { program, url } = await serve();
    const secrets = storedSecrets();
    expect(statSync(path.join(cwd, 'data/secrets.json')).mode & 0o777).toBe(0o600);
    const token = (await run(['token', 'create', '--user', '42'])).out.trim();

    const client = new Centrifuge(`${url.replace('http', 'ws')}/connection/websocket`, { token });
    onTestFinished(() => client.disconnect());
    const subscription = client.newSubscription('news');
    const subscribed = new Promise((resolve) => subscription.on('subscribed', resolve));
    const received = new Promise((resolve) =>
      subscription.on('publication', ({ data }) => resolve(data)),
    );
    const left = new Promise<{ readonly code: number }>((resolve) => {
      client.on('connecting', (context) => {
        if (context.code !== 0) resolve(context);
      });
    });
    subscription.subscribe();
    client.connect();
    await subscribed;
    const published = await fetch(`${url}/api/publish`, {
      method: 'POST',
      headers: { 'X-API-Key': secrets.api_key },
      body: '{"channel":"news","data":{"text":"hello"}}',
    });
    expect(await published.json()).toMatchObject({ result: { offset: 1 } });
    expect(await received).toEqual({ text: 'hello' });
    expect((await fetch(`${url}/health`)).status).toBe(200);

    program.process.kill('SIGTERM');
    expect((await left).code).toBe(3001);
    client.disconnect();
    expect(await program.ended).toBe(0);
    expect(program.output.out).toContain('"signal":"SIGTERM"');
    for (const secret of [...Object.values(secrets), token]) {
      expect(program.output.out + program.output.err).not.toContain(secret);
    }
  });

  test('keeps its secrets from start to start', async () => {
    const first = await serve();
    const secrets = storedSecrets();
    first.program.process.kill('SIGINT');
    expect(await first.program.ended).toBe(0);
    const second = await serve();
    expect(storedSecrets()).toEqual(secrets);
    second.program.process.kill('SIGINT');
    expect(await second.program.ended).toBe(0);
  });

  test('prints the link that opens its page only where somebody reads it', async () => {
    const silent = await serve();
    const asked = await serve(['--sign-in-link', '--data-dir', 'data-2']);
    const [, link = ''] = await asked.program.seen(/within the hour\): (\S+)/);
    expect(link).toContain('#sign-in=');
    expect((await fetch(link)).status).toBe(200);
    expect(silent.program.output.err).toBe('');
    expect(asked.program.output.out).not.toContain('sign-in=');
  });
});

describe('holdfast serve with a configuration', () => {
  test('reads file, environment and flags, and writes no data folder when it needs none', async () => {
    writeFileSync(
      path.join(cwd, 'config.yaml'),
      'client: { token: { hmac_secret_key: "a secret of thirty-two bytes or more" } }\nhttp_api: { key: geheim-1 }\nnix: 1\n',
    );
    const { program, url } = await serve(['--set', 'health.handler_prefix=/alive'], {
      HOLDFAST_HEALTH_ENABLED: 'true',
      HOLDFAST_PID_FILE: 'holdfast.pid',
      HOLDFAST_STORE_ENABLED: 'false',
    });
    expect((await fetch(`${url}/alive`)).status).toBe(200);
    expect((await fetch(`${url}/health`)).status).toBe(404);
    expect(existsSync(path.join(cwd, 'data'))).toBe(false);
    expect(readFileSync(path.join(cwd, 'holdfast.pid'), 'utf8').trim()).toBe(
      String(program.process.pid),
    );
    expect(program.output.out).toContain('There is no such option');
    program.process.kill('SIGTERM');
    expect(await program.ended).toBe(0);
    expect(existsSync(path.join(cwd, 'holdfast.pid'))).toBe(false);
    expect(program.output.out).not.toContain('geheim-1');
  });

  test('does not start when it cannot work, and says everything that is wrong', async () => {
    writeFileSync(
      path.join(cwd, 'config.toml'),
      '[client]\nping_interval = "1s"\n[http_server]\nport = "x"\n',
    );
    const { code, out, err } = await run(['serve']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('error http_server.port is "x"');
    expect(err).toContain('error client.ping_interval is 1s');
    expect(err).not.toContain('    at ');
    expect(existsSync(path.join(cwd, 'data'))).toBe(false);
  });

  test('does not start with a data folder that cannot be made, and says what to do', async () => {
    const secrets = [
      '--set=client.token.hmac_secret_key=a-secret-of-thirty-two-characters',
      '--set=http_api.key=key',
      '--set=admin.secret=secret',
    ];
    // Needed for the secrets of a first start, and where they are given, for the store.
    for (const given of [[], secrets]) {
      const { code, out, err } = await run([
        'serve',
        '--port=0',
        '--data-dir=/proc/none',
        ...given,
      ]);
      expect([code, out]).toEqual([1, '']);
      expect(err).toMatch(/\/proc\/none\/.* cannot be made.*\(ENOENT\)/);
      expect(err).toContain('HOLDFAST_DATA_DIR');
      expect(err).toContain('The server was not started.');
      expect(err).not.toContain('    at ');
    }
  });

  test('does not start on a port that another program has, and says how to find that', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as { readonly port: number };
    const { code, err } = await run(['serve', '--address', '127.0.0.1', '--port', String(port)]);
    expect(code).toBe(1);
    expect(err).toContain(`${port}`);
    expect(err).toContain('another program');
    expect(err).not.toContain('    at ');
  });

  test('does not start without the file for its log', async () => {
    const { code, err } = await run(['serve', '--port=0', '--set=log.file=/proc/none/log']);
    expect(code).toBe(1);
    expect(err).toContain('error The log file /proc/none/log cannot be written: ENOENT');
    expect(err).toContain('correct log.file');
    expect(err).not.toContain('    at ');
  });

  test('does not start without the file for its process id, and leaves nothing behind', async () => {
    const { code, err } = await run(['serve', '--port', '0', '--set', 'pid_file=no/such/pid']);
    expect(code).toBe(1);
    expect(err).toMatch(/error The file for the process id, .*no.such.pid, cannot be written/);
    expect(err).toContain('correct pid_file');
    expect(err).not.toContain('    at ');
  });

  test('ends at once when it is asked a second time', async () => {
    const { program, url } = await serve(['--set', 'shutdown.timeout=60s']);
    // A request that never ends holds up the orderly way.
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    socket.write(
      `POST /api/publish HTTP/1.1\r\nHost: ${hostname}\r\nX-API-Key: ${storedSecrets().api_key}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('100 Continue');
    socket.on('error', () => undefined);
    program.process.kill('SIGTERM');
    await program.seen(/stopping/);
    program.process.kill('SIGTERM');
    expect(await program.ended).toBe(1);
  });
});

describe('holdfast as a command', () => {
  test('exits with 0, 1 and 2 for good, failed and wrong', async () => {
    expect((await run(['version'])).code).toBe(0);
    expect((await run(['config', 'check', 'nowhere.yaml'])).code).toBe(1);
    expect((await run(['nothing'])).code).toBe(2);
  });

  test('is not disturbed by a reader that has seen enough', async () => {
    const program = start(['config', 'explain']);
    program.process.stdout.destroy();
    expect(await program.ended).toBe(0);
    expect(program.output.err).toBe('');
  });

  test('checks a token from standard input', async () => {
    const { out: token } = await run(['token', 'create', '--user', '7']);
    const check = start(['token', 'check']);
    check.process.stdin.end(token);
    expect(await check.ended).toBe(0);
    expect(check.output.out).toContain('user:     "7"');
  });
});
