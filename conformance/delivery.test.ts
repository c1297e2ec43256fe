import { once } from 'node:events';
import { connect, createServer, type Server, type Socket, type AddressInfo } from 'node:net';
import { Centrifuge } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startHub } from './running-hub.ts';

/** A TCP path between client and hub that can be cut and stalled. */
class Path implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async open(target: number): Promise<Path> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const path = new Path(server, (server.address() as AddressInfo).port);
    server.on('connection', (near) => path.#join(near, connect(target, '127.0.0.1')));
    return path;
  }

  #join(near: Socket, far: Socket): void {
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('data', (data) => to.write(data));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  /** Stops or resumes what flows from the hub to the client. */
  stall(isStalled: boolean): void {
    for (const [, far] of this.#pairs) {
      if (isStalled) far.pause();
      else far.resume();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
  }
}

interface Seen {
  readonly offset: number;
  readonly data: unknown;
}

/** What one subscriber's application saw: runs of publications, each begun by a recovery that failed. */
interface Story {
  readonly seen: Seen[];
  /** Indexes into `seen` at which the application was told that it may have missed something. */
  readonly warned: Set<number>;
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('publish'), count: fc.integer({ min: 1, max: 8 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut'), client: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stall'), client: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resume'), client: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget') }) },
);

/**
 * Promise P2: whatever the schedule of publishes, cuts, stalls and lost history, what an application
 * sees is the channel's stream, in order and without repetition, or it is told.
 */
test('every subscriber sees the stream, or is told', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await using running = await startHub({
        channel: {
          withoutNamespace: { historySize: 20, historyTtlMs: 60_000, forceRecovery: true },
        },
      });
      await using first = await Path.open(running.port);
      await using second = await Path.open(running.port);
      await using third = await Path.open(running.port);
      const paths = [first, second, third];
      const formats = ['json', 'protobuf', 'json'] as const;
      const clients = await Promise.all(
        paths.map((path, index) => follow(path.port, formats[index] ?? 'json')),
      );
      let published = 0;
      const publish = async (): Promise<void> => {
        published += 1;
        await running.hub.publish('news', published);
      };
      try {
        for (const action of steps) {
          if (action.kind === 'publish' && 'count' in action) {
            for (let index = 0; index < action.count; index += 1) await publish();
          } else if (action.kind === 'pause') {
            await new Promise((resolve) => setTimeout(resolve, 15));
          } else if (action.kind === 'forget') {
            await running.hub.removeHistory('news');
          } else if ('client' in action) {
            const path = paths[action.client] as Path;
            if (action.kind === 'cut') path.cut();
            else path.stall(action.kind === 'stall');
          }
        }
        for (const path of paths) path.stall(false);
        // Whoever was told of a loss starts again at the top, and may have nothing to see there yet:
        // publish until everybody has seen the latest, so that everybody can be compared.
        await vi.waitFor(
          async () => {
            await publish();
            await vi.waitFor(() => expect(clients.every((c) => c.sawLast(published))).toBe(true), {
              timeout: 200,
            });
          },
          { timeout: 60_000 },
        );
        for (const { story } of clients) expectStory(story, published);
      } finally {
        for (const { client } of clients) client.disconnect();
      }
    }),
    { numRuns: 25, endOnFailure: true },
  );
});

async function follow(port: number, format: 'json' | 'protobuf') {
  const Client = format === 'json' ? Centrifuge : ProtobufCentrifuge;
  const client = new Client(`ws://127.0.0.1:${port}/connection/websocket`, {
    websocket: WebSocket,
    minReconnectDelay: 1,
    maxReconnectDelay: 20,
  });
  const story: Story = { seen: [], warned: new Set() };
  const subscription = client.newSubscription('news', {
    minResubscribeDelay: 1,
    maxResubscribeDelay: 20,
  });
  subscription.on('publication', ({ offset, data }) => {
    const value: unknown =
      data instanceof Uint8Array ? JSON.parse(Buffer.from(data).toString()) : data;
    story.seen.push({ offset: offset ?? 0, data: value });
  });
  subscription.on('subscribed', ({ wasRecovering, recovered }) => {
    if (wasRecovering && !recovered) story.warned.add(story.seen.length);
  });
  subscription.subscribe();
  client.connect();
  await subscription.ready(60_000);
  return { client, story, sawLast: (last: number) => story.seen.at(-1)?.data === last };
}

function expectStory({ seen, warned }: Story, published: number): void {
  for (const [index, { offset, data }] of seen.entries()) {
    // A position names content: publication number n has offset n.
    expect(data).toBe(offset);
    const previous = seen[index - 1]?.offset ?? 0;
    const isInOrder = warned.has(index) ? offset > previous : offset === previous + 1;
    expect(isInOrder, `${offset} came after ${previous}`).toBe(true);
  }
  expect(seen.at(-1)?.offset).toBe(published);
}
