import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Centrifuge } from 'centrifuge';
import { describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type Backend, startBackend } from './hook-backend.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

interface ReceivedEvent extends Record<string, unknown> {
  readonly id: string;
  readonly type: string;
  readonly node: string;
}

function eventsOf(backend: Backend): readonly ReceivedEvent[] {
  return backend.asked.flatMap(({ body }) => body.events as ReceivedEvent[]);
}

/** As a receiver should: repetitions are known by their id. */
function distinct(events: readonly ReceivedEvent[]): readonly ReceivedEvent[] {
  return [...new Map(events.toReversed().map((event) => [event.id, event])).values()].toReversed();
}

const sequenceOf = ({ id }: ReceivedEvent): number => Number(id.slice(id.lastIndexOf('-') + 1));

function configFor(backend: Backend, hook: object = {}): object {
  return {
    client: { insecure: true },
    event_hooks: [
      {
        name: 'backend',
        endpoint: backend.url('events'),
        batch_max_delay: '1ms',
        retry_max_delay: '50ms',
        ...hook,
      },
    ],
  };
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-events-'));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class Clients implements Disposable {
  readonly #clients: Centrifuge[] = [];

  connect({ websocketUrl }: ServerProcess): Centrifuge {
    // What a killed server loses stays lost: these clients don't come back by themselves.
    const client = new Centrifuge(websocketUrl, {
      websocket: WebSocket,
      // Its own patience is five seconds, which a busy machine may take to answer.
      timeout: 60_000,
      minReconnectDelay: 60_000,
    });
    this.#clients.push(client);
    client.connect();
    return client;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.splice(0)) client.disconnect();
  }
}

describe('event hooks of a server', () => {
  test('tell the life of a client, signed', async () => {
    await inFolder(async (folder) => {
      await using backend = await startBackend({ events: () => 204 });
      const server = await startServerProcess(folder, configFor(backend, { secret: 'k' }));
      using clients = new Clients();
      const client = clients.connect(server);
      await client.ready(60_000);
      const subscription = client.newSubscription('room');
      subscription.subscribe();
      await subscription.ready(60_000);
      subscription.unsubscribe();
      const again = client.newSubscription('other');
      again.subscribe();
      await again.ready(60_000);
      expect(await server.stop()).toBe(0);
      const events = distinct(eventsOf(backend));
      expect(events.map(({ type, channel }) => `${type} ${(channel as string) ?? ''}`)).toEqual([
        'connect ',
        'subscribe room',
        'occupied room',
        'unsubscribe room',
        'vacated room',
        'subscribe other',
        'occupied other',
        'unsubscribe other',
        'vacated other',
        'disconnect ',
      ]);
      expect(events.at(-1)).toMatchObject({ code: 3_001, reason: 'shutdown' });
      expect(new Set(events.map(({ node }) => node))).toEqual(new Set([server.nodeId]));
      const { headers, text } = backend.asked[0] ?? {};
      const signed = `${headers?.['webhook-id'] as string}.${headers?.['webhook-timestamp'] as string}.${text}`;
      expect(headers?.['webhook-signature']).toBe(
        `v1,${createHmac('sha256', 'k').update(signed).digest('base64')}`,
      );
    });
  });

  test('survive the server: killed while the backend was away, everything arrives after the restart', async () => {
    await inFolder(async (folder) => {
      await using backend = await startBackend({ events: () => 503 });
      const config = configFor(backend);
      const first = await startServerProcess(folder, config);
      using clients = new Clients();
      const ids = await Promise.all(
        Array.from({ length: 40 }, async () => {
          const client = clients.connect(first);
          const subscription = client.newSubscription('room');
          subscription.subscribe();
          await subscription.ready(60_000);
          return client;
        }),
      );
      await vi.waitFor(async () => {
        expect(await first.metric('holdfast_events_waiting')).toBe(81);
        expect(await first.metric('holdfast_events_unwritten')).toBe(0);
      });
      await first.kill();
      expect(ids.length).toBe(40);
      backend.answers.events = () => 200;
      const refused = backend.asked.length;

      const second = await startServerProcess(folder, config);
      await vi.waitFor(async () => expect(await second.metric('holdfast_events_waiting')).toBe(0), {
        timeout: 60_000,
      });
      const accepted = backend.asked.slice(refused);
      const events = accepted.flatMap(({ body }) => body.events as ReceivedEvent[]);
      expect(accepted.some(({ body }) => 'lost' in body)).toBe(false);
      expect(events.map(sequenceOf)).toEqual(Array.from({ length: 82 }, (_, index) => index + 1));
      const counts = Object.groupBy(events, ({ type }) => type);
      expect(counts.connect?.length).toBe(40);
      expect(counts.subscribe?.length).toBe(40);
      expect(counts.occupied?.length).toBe(1);
      expect(events.at(-1)).toMatchObject({
        type: 'node_lost',
        lost_node: first.nodeId,
        node: second.nodeId,
      });
      expect(await second.stop()).toBe(0);
    });
  });

  test('survive kills in the middle of it all: no gap, no disorder', async () => {
    await inFolder(async (folder) => {
      let requests = 0;
      await using backend = await startBackend({
        events: () => {
          requests += 1;
          return requests % 4 === 0 ? 500 : 200;
        },
      });
      const config = configFor(backend, { batch_max_events: 5 });
      const nodes: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        const server = await startServerProcess(folder, config);
        nodes.push(server.nodeId);
        using clients = new Clients();
        const before = eventsOf(backend).length;
        const churn = setInterval(() => {
          const client = clients.connect(server);
          client.newSubscription('room').subscribe();
          client.once('connected', () => setTimeout(() => client.disconnect(), 20));
        }, 2);
        try {
          await vi.waitFor(
            () => expect(eventsOf(backend).length).toBeGreaterThan(before + 60 + round * 25),
            { timeout: 60_000, interval: 1 },
          );
        } finally {
          clearInterval(churn);
          await server.kill();
        }
      }
      const last = await startServerProcess(folder, config);
      await vi.waitFor(async () => expect(await last.metric('holdfast_events_waiting')).toBe(0), {
        timeout: 60_000,
      });
      expect(await last.stop()).toBe(0);
      expect(backend.asked.some(({ body }) => 'lost' in body)).toBe(false);
      const events = distinct(eventsOf(backend));
      // What had not reached the disk when the process died was never seen: its number is used again.
      expect(events.map(sequenceOf)).toEqual(events.map((_, index) => index + 1));
      expect([...new Set(events.map(({ node }) => node))]).toEqual([...nodes, last.nodeId]);
      const lost = events.filter(({ type }) => type === 'node_lost');
      expect(lost.map((event) => event.lost_node)).toEqual(nodes);
      for (const client of new Set(events.map((event) => event.client))) {
        if (client === undefined) continue;
        const own = events.filter((event) => event.client === client).map(({ type }) => type);
        expect(own.join(' ')).toMatch(/^connect( subscribe( unsubscribe)?)?( disconnect)?$/);
      }
    });
  });

  test('a second server on the same data folder does not start', async () => {
    await inFolder(async (folder) => {
      await using backend = await startBackend({ events: () => 200 });
      // The store, which says so too, would be in the way.
      const config = { ...configFor(backend), store: { enabled: false } };
      const first = await startServerProcess(folder, config);
      await expect(startServerProcess(folder, config)).rejects.toThrow(
        'Each running server needs a data folder of its own',
      );
      expect(await first.stop()).toBe(0);
    });
  });
});
