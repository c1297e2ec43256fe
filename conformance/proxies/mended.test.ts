import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { proxyConfig, type ProxyName } from '@holdfast/server';
import { expect, onTestFinished, test } from 'vitest';
import {
  examineProxy,
  startProxiedServer,
  troubles,
  tryCentrifuge,
  tryEventSource,
  tryWebSocket,
} from './proxied-server.ts';
import { startApache, startCaddy, startHaproxy, startNginx, type RealProxy } from './real-proxy.ts';

const proxies: readonly (readonly [
  ProxyName,
  (port: number, text: string) => Promise<RealProxy>,
])[] = [
  ['nginx', startNginx],
  ['haproxy', startHaproxy],
  ['caddy', startCaddy],
  ['apache', startApache],
];

test.each(proxies)('%s as proxy-config has it lets everybody through', async (name, start) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-proxied-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await using server = await startProxiedServer({
    data_dir: folder,
    store: {},
    inbox: { faces: { tradingagents: true } },
  });
  await using proxy = await start(server.listenPort, proxyConfig(name, server.settings));
  const { url } = proxy;
  expect(await tryWebSocket(url)).toBe(101);
  for (const transport of ['websocket', 'http_stream', 'sse'] as const) {
    expect(await tryCentrifuge(server, url, [transport])).toBe(transport);
  }
  await tryEventSource(server, url);
  const findings = await examineProxy(url, { channel: 'recovered' });
  expect([troubles(findings), findings.get('reconnect')?.evidence]).toEqual([
    {},
    expect.stringContaining('everything missed recovered'),
  ]);
  // What is for users passes, what is not for clients stays inside.
  for (const place of [
    '/api/inbox/me',
    '/api/inbox/me/counts',
    '/api/tasks/me',
    '/api/notifications',
    '/api/notifications/stream',
  ]) {
    expect([place, (await fetch(`${url}${place}`)).status]).toEqual([place, 401]);
  }
  expect(await tryWebSocket(url, '/api/ws/notifications')).toBe(401);
  for (const place of ['/api/info', '/api/inbox/send', '/api/inbox/menu']) {
    const { status } = await fetch(`${url}${place}`, { method: 'POST' });
    expect([place, status]).not.toEqual([place, 401]);
  }
  expect(server.running.hub.metrics.strippedHandshakes.counts.size).toBe(0);
});

test('Caddy with nothing but reverse_proxy lets everybody through', async () => {
  await using server = await startProxiedServer();
  const { listenPort, port } = server;
  await using proxy = await startCaddy(
    listenPort,
    `http://127.0.0.1:${listenPort}\nreverse_proxy 127.0.0.1:${port}\n`,
  );
  expect(await tryWebSocket(proxy.url)).toBe(101);
  for (const transport of ['websocket', 'http_stream', 'sse'] as const) {
    expect(await tryCentrifuge(server, proxy.url, [transport])).toBe(transport);
  }
  await tryEventSource(server, proxy.url);
  expect(troubles(await examineProxy(proxy.url))).toEqual({});
});
