/**
 * Time and memory of a map with 10,000 keys, written and then read by subscribers page by page:
 * `npx node --expose-gc --conditions=@holdfast/source bench/map-subscribe.bench.ts`. Server and
 * clients share one process, so the times are upper bounds.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHub } from '@holdfast/hub';
import { Centrifuge } from 'centrifuge';
import { WebSocket } from 'ws';
import { spreadOf } from './statistics.ts';

const keys = 10_000;
const subscribers = 10;

function heapMegabytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1_048_576;
}

const hub = createHub({
  client: { insecure: true },
  channel: {
    namespaces: [{ name: 'map', subscriptionType: 'map', map: { mode: 'persistent' } }],
  },
});
const server = createServer();
hub.attach(server);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/connection/websocket`;

const empty = heapMegabytes();
const writing = performance.now();
for (let key = 0; key < keys; key += 1) {
  await hub.publishMap('map:a', { key: `key-${key}`, data: { name: `Entry ${key}`, value: key } });
}
const written = performance.now() - writing;
const full = heapMegabytes();
console.log(`${keys} keys written in ${written.toFixed(0)} ms`);
console.log(`heap for them: ${(full - empty).toFixed(1)} MB`);

for (const pageSize of [100, 1000]) {
  const times: number[] = [];
  for (let count = 0; count < subscribers; count += 1) {
    const client = new Centrifuge(url, { websocket: WebSocket });
    const subscription = client.newMapSubscription('map:a', { pageSize });
    const started = performance.now();
    const synced = new Promise<number>((resolve) => {
      subscription.on('sync', ({ entries }) => resolve(entries.length));
    });
    subscription.subscribe();
    client.connect();
    const received = await synced;
    times.push(performance.now() - started);
    if (received !== keys) throw new Error(`${received} of ${keys} keys arrived`);
    client.disconnect();
  }
  const { median, min, max } = spreadOf(times);
  console.log(
    `connect and subscribe, pages of ${pageSize}: median ${median.toFixed(0)} ms (${min.toFixed(0)}–${max.toFixed(0)})`,
  );
}
await hub.shutdown({ timeoutMs: 1_000 });
server.close();
