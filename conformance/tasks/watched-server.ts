import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SignJWT } from 'jose';
import { answerFile, listen } from '../pages-server.ts';
import { type ServerProcess, startServerProcess } from '../server-process.ts';

const secret = 'a secret of more than thirty-two bytes';
const apiKey = 'a key of the application';
export const workerToken = 'a token of workers';
/** Of the tasks of the example's worker. */
export const leaseMs = 1500;

function tokenOf(user: string): Promise<string> {
  return new SignJWT({ sub: user })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(secret));
}

/** The real program with kinds of tasks, and what asks it over plain HTTP. */
export interface WatchedServer extends AsyncDisposable {
  readonly url: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** The same program on the same port and data once more. */
  start(): Promise<void>;
  /** To the process, such as SIGSTOP. */
  signal(name: NodeJS.Signals): void;
  /** As a user (with a token), or as the application (`server`). Gives the body; throws when refused. */
  ask(as: string, request: string, body?: unknown): Promise<Record<string, unknown>>;
  /** Follows output over plain HTTP, after a chunk. */
  follow(user: string, id: string, how: FollowOptions): Promise<Response>;
  /** One call of a worker. */
  work(call: string, body: object): Promise<Record<string, unknown>>;
}

const kind = {
  lease: `${leaseMs}ms`,
  heartbeat: '300ms',
  backoff_min: '1ms',
  allow_request_for_user: true,
};

export interface FollowOptions {
  readonly lastEventId: string;
  readonly signal?: AbortSignal;
}

export async function startWatchedServer(): Promise<WatchedServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-tasks-'));
  const config = (port: number) => ({
    http_server: { address: '127.0.0.1', port },
    store: {},
    client: { token: { hmac_secret_key: secret }, allowed_origins: ['*'] },
    http_api: { key: apiKey },
    tasks: {
      worker_token: workerToken,
      max_output_readers: 2,
      sweep_interval: '200ms',
      kinds: [
        { name: 'word-count', ...kind },
        { name: 'chat', ...kind, lease: '4s', attempts: 1 },
        { name: 'slow', allow_request_for_user: true },
      ],
    },
  });
  let server: ServerProcess = await startServerProcess(folder, config(0));
  const { url } = server;
  const port = Number(new URL(url).port);
  const call = async (
    address: string,
    headers: Record<string, string>,
    { method, body }: { readonly method: string; readonly body?: unknown },
  ): Promise<Record<string, unknown>> => {
    const response = await fetch(`${url}${address}`, {
      method,
      headers: { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  return {
    url,
    kill: () => server.kill(),
    async start() {
      server = await startServerProcess(folder, config(port), { isShared: true });
    },
    signal: (name) => server.signal(name),
    async ask(as, request, body) {
      const [method = '', address = ''] = request.split(' ');
      const headers: Record<string, string> =
        as === 'server'
          ? { 'x-api-key': apiKey }
          : { authorization: `Bearer ${await tokenOf(as)}` };
      return call(`/api/tasks${address}`, headers, { method, body });
    },
    follow: async (user, id, { lastEventId, signal }) =>
      fetch(`${url}/api/tasks/me/${id}/output?follow=true`, {
        headers: { 'last-event-id': lastEventId, authorization: `Bearer ${await tokenOf(user)}` },
        ...(signal === undefined ? {} : { signal }),
      }),
    work: (name, body) =>
      call(
        `/api/worker/${name}`,
        { authorization: `Bearer ${workerToken}` },
        { method: 'POST', body },
      ),
    async [Symbol.asyncDispose]() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The application's own pages, on an origin of their own, with tokens for its users. */
export async function startPages(
  script: string,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const html =
    '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>tasks</title><style>:root{color-scheme:light dark}body{margin:1.5rem;background:Canvas}main{display:grid;gap:1.5rem;max-width:34rem;margin:auto}</style><div id="root"></div><script src="/page.js"></script></html>';
  const files = {
    '/': { type: 'text/html; charset=utf-8', body: html },
    '/page.js': { type: 'text/javascript', body: script },
  };
  const server = createServer((request, response) => {
    const target = new URL(request.url ?? '/', 'http://localhost');
    if (answerFile(files, target.pathname, response)) return;
    if (target.pathname === '/token') {
      void tokenOf(target.searchParams.get('user') ?? '').then((token) => response.end(token));
    } else response.writeHead(404).end();
  });
  const listening = await listen(server);
  return { url: listening.url, [Symbol.asyncDispose]: () => listening.kill() };
}
