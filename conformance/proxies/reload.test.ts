import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { proxyConfig } from '@holdfast/server';
import { expect, test, vi } from 'vitest';
import { freePort } from '@holdfast/store/testing/free-port';
import { centrifuge, startProxiedServer, type ProxiedServer } from './proxied-server.ts';
import { startCaddy, startHaproxy, startNginx, type RealProxy } from './real-proxy.ts';

interface Reloaded {
  readonly name: string;
  readonly start: (server: ProxiedServer) => Promise<ReloadableProxy>;
  /** Whether a reload ends the connections that are open. */
  readonly cuts: boolean;
}

interface ReloadableProxy extends AsyncDisposable {
  readonly url: string;
  reload(): Promise<void>;
}

async function bySignal(
  starting: Promise<RealProxy>,
  signal: NodeJS.Signals,
): Promise<ReloadableProxy> {
  const proxy = await starting;
  return {
    url: proxy.url,
    reload: async () => proxy.signal(signal),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

const proxies: readonly Reloaded[] = [
  {
    name: 'nginx that cuts its old workers',
    start: ({ listenPort, settings }) =>
      bySignal(
        startNginx(listenPort, proxyConfig('nginx', settings), 'worker_shutdown_timeout 200ms;'),
        'SIGHUP',
      ),
    cuts: true,
  },
  {
    name: 'nginx as it is',
    start: ({ listenPort, settings }) =>
      bySignal(startNginx(listenPort, proxyConfig('nginx', settings)), 'SIGHUP'),
    cuts: false,
  },
  {
    name: 'HAProxy under its master',
    start: ({ listenPort, settings }) =>
      bySignal(startHaproxy(listenPort, proxyConfig('haproxy', settings), ['-W']), 'SIGUSR2'),
    cuts: false,
  },
  {
    name: 'Caddy, which closes every WebSocket',
    start: async ({ listenPort, settings }) => {
      const adminPort = await freePort();
      const proxy = await startCaddy(listenPort, proxyConfig('caddy', settings), adminPort);
      const admin = `127.0.0.1:${adminPort}`;
      return {
        url: proxy.url,
        reload: async () => {
          const file = `${proxy.folder}/config`;
          const args = ['reload', '--force', '--adapter', 'caddyfile', '--config', file];
          await promisify(execFile)('caddy', [...args, '--address', admin], {
            env: { PATH: process.env.PATH, HOME: proxy.folder },
          });
        },
        [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
      };
    },
    cuts: true,
  },
];

test.each(proxies)(
  '$name, reloaded under load: every message once and in order',
  async ({ start, cuts }) => {
    await using server = await startProxiedServer();
    await using proxy = await start(server);
    const clients = Array.from({ length: 20 }, () => centrifuge(proxy.url, ['websocket']));
    try {
      const received = clients.map((client) => {
        const list: number[] = [];
        const subscription = client.newSubscription('load');
        subscription.on('publication', ({ data }) => list.push(data as number));
        subscription.subscribe();
        client.connect();
        return list;
      });
      await Promise.all(
        clients.map(async (client) => client.getSubscription('load')?.ready(60_000)),
      );
      const total = 600;
      const reloads: Promise<void>[] = [];
      for (let number = 0; number < total; number += 1) {
        await server.running.hub.publish('load', number);
        if (number % 150 === 75) reloads.push(proxy.reload());
        // Lets the event loop deliver, and the reload happen in the middle.
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await Promise.all(reloads);
      const expected = Array.from({ length: total }, (_, number) => number);
      await vi.waitFor(() => expect(received.every(({ length }) => length >= total)).toBe(true), {
        timeout: 60_000,
        interval: 50,
      });
      for (const list of received) expect(list).toEqual(expected);
      const recoveries = server.running.hub.metrics.recoveries.counts.get('yes') ?? 0;
      // Every client really was cut, at least once, or none was.
      expect(recoveries).toSatisfy((count: number) => (cuts ? count >= 20 : count === 0));
    } finally {
      for (const client of clients) client.disconnect();
    }
  },
);
