import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { endOwned, startOwned } from '@holdfast/store/testing/owned-process';
import { freePort } from '@holdfast/store/testing/free-port';

/** A Redis server of its own, in a temporary folder, on 127.0.0.1. Disposing stops it. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** Dies at once; what it was told is on disk. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export async function startRedis(): Promise<RedisServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const server: RedisServer = {
    port,
    async kill() {
      const running = child;
      child = undefined;
      if (running !== undefined) await endOwned(running);
    },
    async start() {
      child = await launch(folder, port);
    },
    async [Symbol.asyncDispose]() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

async function launch(folder: string, port: number): Promise<ChildProcess> {
  const settings = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    'save ""',
    'appendonly yes',
    'appendfsync no',
  ];
  const child = startOwned('redis-server', ['-'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(settings.join('\n'));
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-10_000);
      if (log.includes('Ready to accept connections')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`Redis did not start:\n${log}`)));
  });
  return child;
}
