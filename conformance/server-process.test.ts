import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as dial, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { Centrifuge } from 'centrifuge';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

const main = path.resolve(import.meta.dirname, '../packages/server/src/main.ts');

interface Program {
  readonly child: ChildProcessWithoutNullStreams;
  /** What it wrote to both outputs until now. */
  readonly output: () => string;
  readonly exited: Promise<readonly [number | null, NodeJS.Signals | null]>;
}

function createFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-process-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** `holdfast serve` as a process of its own, in its own folder. */
function runServe(folder: string, ...args: readonly string[]): Program {
  const child = startOwned(
    process.execPath,
    ['--conditions=@holdfast/source', main, 'serve', ...args],
    {
      cwd: folder,
      env: { PATH: process.env.PATH },
    },
  );
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  // Not `exit`: what it wrote last may be read only after that.
  const exited = once(child, 'close') as unknown as Program['exited'];
  return { child, output: () => output, exited };
}

/** As {@link runServe}; resolves with its address when it serves. */
async function startServe(folder: string, ...args: readonly string[]) {
  const program = runServe(folder, '--port=0', ...args);
  const port = await vi.waitFor(
    () => {
      const [, found] = /"addresses":\["http:\/\/localhost:(\d+)"/.exec(program.output()) ?? [];
      if (found === undefined) throw new Error(program.output());
      return Number(found);
    },
    { timeout: 60_000 },
  );
  return { ...program, port, url: `http://localhost:${port}` };
}

function keyIn(folder: string): string {
  const secrets = JSON.parse(readFileSync(path.join(folder, 'data/secrets.json'), 'utf8')) as {
    readonly api_key: string;
  };
  return secrets.api_key;
}

describe('the first start', () => {
  test('makes secrets for its owner alone, serves, and prints no secret', async () => {
    const folder = createFolder();
    const { url, output } = await startServe(folder);
    expect(statSync(path.join(folder, 'data/secrets.json')).mode & 0o777).toBe(0o600);
    const key = keyIn(folder);
    const publish = (apiKey: string) =>
      fetch(`${url}/api/publish`, {
        method: 'POST',
        headers: { 'X-API-Key': apiKey },
        body: '{"channel":"news","data":1}',
      });
    expect(await (await publish(key)).json()).toMatchObject({ result: { offset: 1 } });
    expect((await publish('wrong')).status).toBe(401);
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    expect(output()).not.toContain(key);
    expect(output()).not.toContain('sign-in=');
  });

  test('prints the sign-in link where it is asked to', async () => {
    const { url, output } = await startServe(createFolder(), '--sign-in-link');
    await vi.waitFor(() => expect(output()).toMatch(/#sign-in=[\w-]{22}/));
    const [, code] = /#sign-in=([\w-]+)/.exec(output()) ?? [];
    const signIn = () =>
      fetch(`${url}/admin/sign-in`, { method: 'POST', body: JSON.stringify({ code }) });
    expect((await signIn()).status).toBe(204);
    expect((await signIn()).status).toBe(401);
  });

  test('the secrets stay the same at the next one', async () => {
    const folder = createFolder();
    const first = await startServe(folder);
    const key = keyIn(folder);
    first.child.kill('SIGTERM');
    await first.exited;
    await startServe(folder);
    expect(keyIn(folder)).toBe(key);
  });
});

describe('the end', () => {
  const anonymous = '--set=client.allow_anonymous_connect_without_token=true';

  async function connect(port: number) {
    const client = new Centrifuge(`ws://localhost:${port}/connection/websocket`);
    onTestFinished(() => client.disconnect());
    client.connect();
    await client.ready();
    return client;
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: clients are told, the process ends with 0',
    async (signal) => {
      const folder = createFolder();
      const { child, port, exited } = await startServe(
        folder,
        anonymous,
        '--set=pid_file=server.pid',
      );
      const pidFile = path.join(folder, 'server.pid');
      await vi.waitFor(() => expect(readFileSync(pidFile, 'utf8').trim()).toBe(String(child.pid)));
      const told = once((await connect(port)) as never, 'connecting');
      child.kill(signal);
      expect(await told).toMatchObject([{ code: 3001, reason: 'shutdown' }]);
      expect(await exited).toEqual([0, null]);
      expect(existsSync(pidFile)).toBe(false);
    },
  );

  test('a second signal does not wait for anybody', async () => {
    const { child, port, exited, output } = await startServe(createFolder(), anonymous);
    // A client that never answers the closing handshake holds the end up.
    const handshake = [
      'GET /connection/websocket HTTP/1.1',
      'Host: localhost',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ].join('\r\n');
    const silent = dial(port, 'localhost', () => silent.write(`${handshake}\r\n\r\n`));
    onTestFinished(() => void silent.destroy());
    silent.on('error', () => undefined);
    await once(silent, 'data');
    child.kill('SIGTERM');
    await vi.waitFor(() => expect(output()).toContain('stopping'));
    child.kill('SIGTERM');
    expect(await exited).toEqual([1, null]);
  });

  test('SIGHUP is no end', async () => {
    const { child, url, output } = await startServe(createFolder());
    child.kill('SIGHUP');
    await vi.waitFor(() => expect(output()).toContain('it is as before'));
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});

describe('what cannot work', () => {
  test('a port that is taken: one clear error, code 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const { exited, output } = runServe(createFolder(), `--port=${port}`);
    expect(await exited).toEqual([1, null]);
    expect(output()).toContain(`port ${port} of 127.0.0.1: another program has it`);
    expect(output()).not.toContain('    at ');
  });

  test('a configuration that is wrong: every problem with its key, code 1', async () => {
    const folder = createFolder();
    writeFileSync(
      path.join(folder, 'bad.yaml'),
      'client:\n  ping_interval: 5s\n  pong_timeout: 8s\n',
    );
    const { exited, output } = runServe(folder, '--config', 'bad.yaml');
    expect(await exited).toEqual([1, null]);
    expect(output()).toContain('client.pong_timeout');
    expect(output()).toContain('The server was not started.');
  });
});
