import { Centrifuge, type Options, type TransportName } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import { EventSource } from 'eventsource';
import { describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createMemoryNetwork } from '@holdfast/hub/testing';
import { startHub, type RunningHub } from './running-hub.ts';

const recovering = {
  channel: {
    withoutNamespace: {
      historySize: 100,
      historyTtlMs: 60_000,
      forceRecovery: true,
      presence: true,
    },
  },
};

function connectOver(
  running: RunningHub,
  transport: TransportName,
  format: 'json' | 'protobuf',
): Centrifuge | ProtobufCentrifuge {
  const endpoint = transport === 'websocket' ? running.url : running.at(`/connection/${transport}`);
  const options: Partial<Options> = {
    emulationEndpoint: running.at('/emulation'),
    websocket: WebSocket,
    eventsource: EventSource,
    fetch,
    readableStream: ReadableStream,
    minReconnectDelay: 10,
    maxReconnectDelay: 50,
  };
  const endpoints = [{ transport, endpoint }];
  return format === 'json'
    ? new Centrifuge(endpoints, options)
    : new ProtobufCentrifuge(endpoints, options);
}

function textOf(data: unknown): unknown {
  return data instanceof Uint8Array ? JSON.parse(Buffer.from(data).toString()) : data;
}

function payload(format: 'json' | 'protobuf', value: unknown): unknown {
  return format === 'json' ? value : new TextEncoder().encode(JSON.stringify(value));
}

describe.each([
  ['websocket', 'json'],
  ['websocket', 'protobuf'],
  ['http_stream', 'json'],
  ['http_stream', 'protobuf'],
  ['sse', 'json'],
] as const)('%s with %s', (transport, format) => {
  test('subscribes, publishes, reads presence and history, and unsubscribes', async () => {
    await using running = await startHub(recovering);
    const client = connectOver(running, transport, format);
    try {
      const subscription = client.newSubscription('news');
      const received: unknown[] = [];
      subscription.on('publication', ({ data }) => received.push(textOf(data)));
      subscription.subscribe();
      client.connect();
      await subscription.ready(60_000);
      await subscription.publish(payload(format, { n: 1 }));
      await running.hub.publish('news', { n: 2 });
      await vi.waitFor(() => expect(received).toEqual([{ n: 1 }, { n: 2 }]));
      expect(Object.keys((await subscription.presence()).clients)).toHaveLength(1);
      const history = await subscription.history({ limit: 10 });
      expect(history.publications.map(({ data }) => textOf(data))).toEqual([{ n: 1 }, { n: 2 }]);
      subscription.unsubscribe();
      await vi.waitFor(async () =>
        expect(await running.hub.presenceStats('news')).toEqual({ clients: 0, users: 0 }),
      );
    } finally {
      client.disconnect();
    }
  });

  test('recovers what it missed while its connection was cut', async () => {
    await using running = await startHub(recovering);
    const client = connectOver(running, transport, format);
    try {
      const subscription = client.newSubscription('news');
      const received: unknown[] = [];
      subscription.on('publication', ({ data }) => received.push(textOf(data)));
      subscription.subscribe();
      client.connect();
      await subscription.ready(60_000);
      await running.hub.publish('news', 1);
      await vi.waitFor(() => expect(received).toEqual([1]));
      running.cutConnections();
      await running.hub.publish('news', 2);
      await vi.waitFor(() => expect(received).toEqual([1, 2]));
    } finally {
      client.disconnect();
    }
  });

  test('learns why the server ended the connection', async () => {
    await using running = await startHub(recovering);
    const client = connectOver(running, transport, format);
    const ends: number[] = [];
    client.on('disconnected', ({ code }) => ends.push(code));
    client.connect();
    await client.ready(60_000);
    await running.hub.disconnect({ user: '' }, { code: 3503, reason: 'force disconnect' });
    await vi.waitFor(() => expect(ends).toEqual([3503]));
    expect(running.hub.metrics.connections).toBe(0);
  });
});

test('commands reach a session through another node', async () => {
  const network = createMemoryNetwork();
  await using home = await startHub({ ...recovering, ...network.addNode() });
  await using other = await startHub({ ...recovering, ...network.addNode() });
  await vi.waitFor(() => expect(other.hub.nodes()).toHaveLength(2));
  const client = new Centrifuge(
    [{ transport: 'http_stream', endpoint: home.at('/connection/http_stream') }],
    { emulationEndpoint: other.at('/emulation'), fetch, readableStream: ReadableStream },
  );
  const subscription = client.newSubscription('news');
  const received: unknown[] = [];
  subscription.on('publication', ({ data }) => received.push(data));
  subscription.subscribe();
  client.connect();
  await subscription.ready(60_000);
  await subscription.publish('through the other node');
  await vi.waitFor(() => expect(received).toEqual(['through the other node']));
  client.disconnect();
});
