/** The server of `http-streams.bench.ts`, in a process of its own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHub } from '@holdfast/hub';

const hub = createHub({ client: { insecure: true } });
const server = createServer((request, response) => {
  if (!hub.handleRequest(request, response)) response.writeHead(404).end();
});
hub.attach(server);
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});

process.on('message', (message: { readonly publish?: string }) => {
  const reply = (): void => {
    globalThis.gc?.();
    const { user, system } = process.cpuUsage();
    const { subscriptions, deliveries } = hub.metrics;
    const { rss } = process.memoryUsage();
    process.send?.({ cpuMicroseconds: user + system, rss, subscriptions, deliveries });
  };
  if (message.publish === undefined) reply();
  else void hub.publish('news', message.publish);
});
process.on('disconnect', () => process.exit(0));
