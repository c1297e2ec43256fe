import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '@holdfast/client';
import { createInboxStore, createUserApi } from '@holdfast/client/inbox';
import { SignJWT } from 'jose';
import { type Program, startProgram } from '../program.ts';

export interface KilledServerOptions {
  readonly sends: number;
  readonly users: number;
  /** Sends that are acknowledged between two kills, at random from 1 to this. */
  readonly maxSendsPerLife: number;
  /** In [0, 1). @defaultValue `Math.random` */
  readonly random?: () => number;
}

export interface KilledServerResult {
  readonly kills: number;
  /** Requests that had to be repeated, since their answer never came. */
  readonly repeated: number;
  /** Numbers of the sends that applications were told of, by user, in the order of telling. */
  readonly heard: ReadonlyMap<string, readonly number[]>;
  /** Ids that were told of by applications, by user. */
  readonly ids: ReadonlyMap<string, readonly string[]>;
  /** What the stores show in the end. */
  readonly unread: ReadonlyMap<string, number>;
  readonly durationMs: number;
}

const senders = 8;
const backoff = { minDelayMs: 20, maxDelayMs: 500, stableMs: 10_000 };

export function userOf(send: number, users: number): string {
  return `u${send % users}`;
}

/**
 * Sends notifications through the HTTP API of the `holdfast` program, which is killed with SIGKILL and
 * started again all the time, while an application per user listens with our client. Senders repeat a
 * request under its idempotency key until it is acknowledged, as applications do.
 */
export async function runKilledServer(options: KilledServerOptions): Promise<KilledServerResult> {
  const { sends, users, maxSendsPerLife, random = Math.random } = options;
  const startedAt = performance.now();
  const cwd = mkdtempSync(path.join(tmpdir(), 'holdfast-killed-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let program = await start(cwd, port);
  const { api_key: apiKey, token_hmac_secret_key: secret } = JSON.parse(
    readFileSync(path.join(cwd, 'data/secrets.json'), 'utf8'),
  ) as { readonly api_key: string; readonly token_hmac_secret_key: string };

  const heard = new Map<string, number[]>();
  const ids = new Map<string, string[]>();
  const applications = Array.from({ length: users }, (_, index) => {
    const user = userOf(index, users);
    const numbers: number[] = [];
    const told: string[] = [];
    heard.set(user, numbers);
    ids.set(user, told);
    const getToken = (): Promise<string> =>
      new SignJWT({ sub: user })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(secret));
    const client = createClient({ url, getToken, backoff, connectTimeoutMs: 2_000 });
    client.connect();
    const inbox = createInboxStore({
      client,
      api: createUserApi({ url, getToken, timeoutMs: 3_000 }),
      backoff,
      device: `device of ${user}`,
    });
    inbox.onNotification(({ id, title }) => {
      numbers.push(Number(title));
      told.push(id);
    });
    return { user, client, inbox };
  });

  const progress = { next: 0, acknowledged: 0, repeated: 0 };
  const sendOne = async (send: number): Promise<boolean> => {
    try {
      const answer = await fetch(`${url}/api/inbox/send`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
        body: JSON.stringify({
          to: { user: userOf(send, users) },
          category: 'a',
          title: `${send}`,
          idempotencyKey: `send-${send}`,
        }),
        signal: AbortSignal.timeout(5_000),
      });
      // The answer counts when all of it is here.
      await answer.json();
      return answer.ok;
    } catch {
      return false;
    }
  };
  const sendOn = async (): Promise<void> => {
    while (progress.next < sends) {
      const send = progress.next++;
      while (!(await sendOne(send))) {
        progress.repeated += 1;
        await pause(20);
      }
      progress.acknowledged += 1;
    }
  };

  let kills = 0;
  const killOn = async (): Promise<void> => {
    while (progress.acknowledged < sends) {
      const until = progress.acknowledged + 1 + Math.floor(random() * maxSendsPerLife);
      while (progress.acknowledged < Math.min(until, sends)) await pause(1);
      if (progress.acknowledged >= sends) return;
      program.process.kill('SIGKILL');
      await program.ended;
      kills += 1;
      program = await start(cwd, port);
    }
  };
  try {
    await Promise.all([killOn(), ...Array.from({ length: senders }, sendOn)]);
    await settled(() => [...heard.values()].reduce((sum, one) => sum + one.length, 0) >= sends);
    // Anything that came twice would have come by now: every store is up to date.
    await settled(() => applications.every(({ inbox }) => inbox.getSnapshot().status === 'live'));
    const unread = applications.map(
      ({ user, inbox }) => [user, inbox.getSnapshot().unread.total] as const,
    );
    const durationMs = performance.now() - startedAt;
    const { repeated } = progress;
    return { kills, repeated, heard, ids, unread: new Map(unread), durationMs };
  } finally {
    for (const { client, inbox } of applications) {
      inbox.close();
      client.close();
    }
    program.process.kill('SIGKILL');
    await program.ended;
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function start(cwd: string, port: number): Promise<Program> {
  const program = startProgram(['serve', '--port', `${port}`], { cwd });
  await program.seen(/"addresses":\["(http[^"]+)"/);
  return program;
}

async function settled(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!isSo() && performance.now() < deadline) await pause(20);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
