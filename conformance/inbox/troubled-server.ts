import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '@holdfast/client';
import { createInboxStore, createUserApi } from '@holdfast/client/inbox';
import { SignJWT } from 'jose';
import { freePort } from '@holdfast/store/testing/free-port';
import { type Program, startProgram } from '../program.ts';

export interface TroubledServerOptions {
  readonly sends: number;
  readonly users: number;
  /** @defaultValue SQLite in the server's data folder */
  readonly storeUrl?: string;
  /** Happens while notifications are sent, which go on until all are acknowledged. */
  readonly trouble: (server: TroubledServer) => Promise<void>;
}

/** The server under load, as who troubles it sees it. */
export interface TroubledServer {
  readonly url: string;
  /** Sends one notification to a user nobody asks about, and returns the answer. */
  sendAside(): Promise<Response>;
  /** Resolves when this many sends are acknowledged, or all that there are. */
  acknowledged(sends: number): Promise<void>;
  /** Ends it with SIGKILL and starts it again. */
  kill(): Promise<void>;
}

export interface TroubledServerResult {
  readonly kills: number;
  /** Requests that had to be repeated, since their answer never came or was a refusal. */
  readonly repeated: number;
  /** Notifications that an application was not told of, or is told of by a wrong count of unread ones. */
  readonly missing: number;
  /** Notifications that an application was told of twice. */
  readonly doubled: number;
  readonly durationMs: number;
}

const senders = 8;
const backoff = { minDelayMs: 20, maxDelayMs: 500, stableMs: 10_000 };

function userOf(send: number, users: number): string {
  return `u${send % users}`;
}

/** Trouble that kills the server after at most so many acknowledged sends, again and again. */
export function killing(
  sends: number,
  { maxSendsPerLife }: { readonly maxSendsPerLife: number },
): TroubledServerOptions['trouble'] {
  return async (server) => {
    for (let next = 0; ; await server.kill()) {
      next += 1 + Math.floor(Math.random() * maxSendsPerLife);
      if (next >= sends) return;
      await server.acknowledged(next);
    }
  };
}

/**
 * Sends notifications through the HTTP API of the `holdfast` program, which gets into trouble, while an
 * application per user listens with our client. Senders repeat a request under its idempotency key until
 * it is acknowledged, as applications do.
 */
export async function runTroubledServer(
  options: TroubledServerOptions,
): Promise<TroubledServerResult> {
  const { sends, users, storeUrl, trouble } = options;
  const startedAt = performance.now();
  const cwd = mkdtempSync(path.join(tmpdir(), 'holdfast-killed-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const environment = {
    HOLDFAST_HEALTH_ENABLED: 'true',
    HOLDFAST_STORE_MAX_WAIT: '1s',
    ...(storeUrl === undefined ? {} : { HOLDFAST_STORE_URL: storeUrl }),
  };
  let program = await start(cwd, { port, environment });
  const { api_key: apiKey, token_hmac_secret_key: secret } = JSON.parse(
    readFileSync(path.join(cwd, 'data/secrets.json'), 'utf8'),
  ) as { readonly api_key: string; readonly token_hmac_secret_key: string };

  const applications = Array.from({ length: users }, (_, index) => {
    const user = userOf(index, users);
    const numbers: number[] = [];
    const told: string[] = [];
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
    return { client, inbox, numbers, told };
  });

  /** Sends are dealt out in turn. */
  const share = (user: number): number => Math.ceil((sends - user) / users);
  const progress = { next: 0, acknowledged: 0, repeated: 0 };
  const post = (to: string, title: string): Promise<Response> =>
    fetch(`${url}/api/inbox/send`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
      body: JSON.stringify({
        to: { user: to },
        category: 'a',
        title,
        idempotencyKey: `send-${title}`,
      }),
      signal: AbortSignal.timeout(5_000),
    });
  const sendOne = async (send: number): Promise<boolean> => {
    try {
      const answer = await post(userOf(send, users), `${send}`);
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
  const troubled: TroubledServer = {
    url,
    sendAside: () => post('nobody', 'aside'),
    async acknowledged(count) {
      while (progress.acknowledged < Math.min(count, sends)) await pause(1);
    },
    async kill() {
      program.process.kill('SIGKILL');
      await program.ended;
      kills += 1;
      program = await start(cwd, { port, environment });
    },
  };
  try {
    await Promise.all([trouble(troubled), ...Array.from({ length: senders }, sendOn)]);
    await settled(() => applications.every(({ numbers }, index) => numbers.length >= share(index)));
    // Anything that came twice would have come by now: every store is up to date.
    await settled(() => applications.every(({ inbox }) => inbox.getSnapshot().status === 'live'));
    const durationMs = performance.now() - startedAt;
    let missing = 0;
    let doubled = 0;
    for (const [index, { inbox, numbers, told }] of applications.entries()) {
      const different = new Set(numbers).size;
      missing += Math.abs(share(index) - different);
      missing += Math.abs(share(index) - inbox.getSnapshot().unread.total);
      doubled += numbers.length - different + (told.length - new Set(told).size);
    }
    return { kills, repeated: progress.repeated, missing, doubled, durationMs };
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

async function start(
  cwd: string,
  {
    port,
    environment,
  }: { readonly port: number; readonly environment: Readonly<Record<string, string>> },
): Promise<Program> {
  const program = startProgram(['serve', '--port', `${port}`], { cwd, environment });
  await program.seen(/"addresses":\["(http[^"]+)"/);
  return program;
}

async function settled(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!isSo() && performance.now() < deadline) await pause(20);
}
