import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '@holdfast/store/testing/free-port';
import {
  Centrifuge,
  type MapSubscription,
  type PublicationContext,
  type SubscribedContext,
} from 'centrifuge';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startProgram } from './program.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

const key = 'k'.repeat(32);
const patience = { timeout: 60_000, interval: 20 };
const history = { history_size: 100_000, history_ttl: '600s', force_recovery: true };

function createFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-history-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** One server after another in the same folder and at the same address. */
class Deployment {
  readonly #folder = createFolder();
  readonly #config: object;
  #server: ServerProcess | undefined;

  constructor(port: number) {
    this.#config = {
      http_server: { address: '127.0.0.1', port },
      http_api: { key },
      admin: { enabled: false },
      client: { insecure: true, recovery_max_publication_limit: 100_000 },
      channel: {
        namespaces: [
          { name: 'durable', ...history, history_durable: true },
          { name: 'plain', ...history },
          {
            name: 'durable-map',
            subscription_type: 'map',
            history_durable: true,
            map: { mode: 'persistent', stream_size: 1000, stream_ttl: '600s' },
          },
          {
            name: 'plain-map',
            subscription_type: 'map',
            map: { mode: 'persistent', stream_size: 1000, stream_ttl: '600s' },
          },
        ],
      },
    };
  }

  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error('the server was not started');
    return this.#server;
  }

  async start(): Promise<void> {
    const server = await startServerProcess(this.#folder, this.#config);
    onTestFinished(() => server.kill());
    this.#server = server;
  }

  /** As the handbook says. */
  async backUp(): Promise<void> {
    const args = ['store', 'backup', 'copy.db', '--config', 'config.json'];
    const backup = startProgram(args, { cwd: this.#folder });
    if ((await backup.ended) !== 0) throw new Error(backup.output.err);
  }

  /** As the handbook says, while no server runs. */
  restore(): void {
    const store = path.join(this.#folder, 'data', 'holdfast.db');
    renameSync(path.join(this.#folder, 'copy.db'), store);
  }

  /** Calls the HTTP API; rejects with what it refused. */
  async call<Result>(method: string, request: object): Promise<Result> {
    const response = await fetch(`${this.server.url}/api/${method}`, {
      method: 'POST',
      headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
      body: JSON.stringify(request),
    });
    const { result, error } = (await response.json()) as { result?: Result; error?: object };
    if (result === undefined) throw new Error(JSON.stringify(error));
    return result;
  }

  client(): Centrifuge {
    const client = new Centrifuge(this.server.websocketUrl, {
      websocket: WebSocket,
      // Its own patience is five seconds, which a busy machine may take to answer.
      timeout: 60_000,
      minReconnectDelay: 20,
      maxReconnectDelay: 200,
    });
    onTestFinished(() => client.disconnect());
    client.connect();
    return client;
  }
}

async function deploy(): Promise<Deployment> {
  const deployment = new Deployment(await freePort());
  await deployment.start();
  return deployment;
}

interface Published {
  readonly offset: number;
  readonly epoch: string;
}

/** What a stock client got of a channel. */
class Subscriber {
  readonly publications: PublicationContext[] = [];
  readonly subscribed: SubscribedContext[] = [];
  readonly client: Centrifuge;

  constructor(client: Centrifuge, channel: string) {
    this.client = client;
    const subscription = client.newSubscription(channel);
    subscription.on('publication', (publication) => this.publications.push(publication));
    subscription.on('subscribed', (context) => this.subscribed.push(context));
    subscription.subscribe();
  }

  get offsets(): readonly number[] {
    return this.publications.map(({ offset = 0 }) => offset);
  }

  async joined(times: number): Promise<void> {
    const check = (): void => {
      if (this.subscribed.length !== times)
        throw new Error(`joined ${this.subscribed.length} times`);
    };
    await vi.waitFor(check, patience);
  }

  /** Where it found itself when it came back for the first time after `times` times. */
  async joinedAfter(times: number): Promise<SubscribedContext> {
    const check = (): SubscribedContext => {
      const context = this.subscribed[times];
      if (context === undefined) throw new Error(`did not come back after ${times} times`);
      return context;
    };
    return vi.waitFor(check, patience);
  }
}

describe('a durable namespace', () => {
  test('killed in the middle of publishing, again and again: clients recover, and nothing acknowledged is missing, double or exchanged', async () => {
    const deployment = await deploy();
    const channels = ['durable:a', 'durable:b', 'durable:c'];
    const subscribers = channels.map((channel) => new Subscriber(deployment.client(), channel));
    await Promise.all(subscribers.map((subscriber) => subscriber.joined(1)));
    const acknowledged = new Map(channels.map((channel) => [channel, new Map<number, string>()]));
    const epochs = new Set<string>();
    let number = 0;
    const publishUntilItFails = async (channel: string): Promise<void> => {
      for (;;) {
        const data = `message ${(number += 1)}`;
        try {
          const result = await deployment.call<Published>('publish', { channel, data });
          const earlier = acknowledged.get(channel);
          expect(earlier?.has(result.offset)).toBe(false);
          earlier?.set(result.offset, data);
          epochs.add(result.epoch);
        } catch (error) {
          if ((error as Error).name === 'AssertionError') throw error;
          return;
        }
      }
    };
    const rounds = 3;
    for (let round = 1; round <= rounds; round += 1) {
      const before = number;
      const publishers = channels.flatMap((channel) =>
        Array.from({ length: 4 }, () => publishUntilItFails(channel)),
      );
      const enough = 100 + Math.floor(Math.random() * 400);
      await vi.waitFor(() => expect(number - before).toBeGreaterThan(enough), patience);
      await deployment.server.kill();
      await Promise.all(publishers);
      await deployment.start();
      await Promise.all(subscribers.map((subscriber) => subscriber.joined(round + 1)));
    }
    for (const [index, channel] of channels.entries()) {
      const last = await deployment.call<Published>('publish', { channel, data: 'last' });
      epochs.add(last.epoch);
      const subscriber = subscribers[index];
      await vi.waitFor(() => expect(subscriber?.offsets.at(-1)).toBe(last.offset), patience);
      expect(subscriber?.subscribed.slice(1).map(({ recovered }) => recovered)).toEqual(
        Array.from({ length: rounds }, () => true),
      );
      expect(subscriber?.offsets).toEqual(
        Array.from({ length: last.offset }, (_, offset) => offset + 1),
      );
      const byOffset = new Map(
        subscriber?.publications.map(({ offset, data }) => [offset, data as string]),
      );
      for (const [offset, data] of acknowledged.get(channel) ?? []) {
        expect(byOffset.get(offset)).toBe(data);
      }
    }
    // One for each channel, from the beginning to the end.
    expect(epochs.size).toBe(channels.length);
    expect(await deployment.server.metric('holdfast_journal_commits_total')).toBeGreaterThan(0);
  });

  test('remembers idempotency keys and removals of a server that was killed', async () => {
    const deployment = await deploy();
    const request = { channel: 'durable:a', data: 1, idempotency_key: 'once' };
    const first = await deployment.call<Published>('publish', request);
    await deployment.call('publish', { channel: 'durable:b', data: 'to be removed' });
    await deployment.call('history_remove', { channel: 'durable:b' });
    await deployment.server.kill();
    await deployment.start();
    expect(await deployment.call('publish', request)).toEqual(first);
    expect(await deployment.call('history', { channel: 'durable:a', limit: 10 })).toMatchObject({
      publications: [{ data: 1, offset: 1 }],
    });
    expect(await deployment.call('history', { channel: 'durable:b', limit: 10 })).toMatchObject({
      publications: [],
      offset: 1,
    });
  });
});

describe('a backup', () => {
  test('that is restored after a crash gives no position out twice: whoever knows later ones is told', async () => {
    const deployment = await deploy();
    const watching = new Subscriber(deployment.client(), 'durable:a');
    const away = new Subscriber(deployment.client(), 'durable:a');
    await Promise.all([watching.joined(1), away.joined(1)]);
    const publish = (data: string): Promise<Published> =>
      deployment.call<Published>('publish', { channel: 'durable:a', data });
    const { epoch } = await publish('before');
    const map = { channel: 'durable-map:a', key: 'kept', data: 'before' };
    const { epoch: mapEpoch } = await deployment.call<Published>('map_publish', map);
    await vi.waitFor(() => expect([watching.offsets, away.offsets]).toEqual([[1], [1]]), patience);
    away.client.disconnect();
    await deployment.backUp();
    await publish('after');
    await publish('after');
    await deployment.call('map_publish', { ...map, data: 'after' });
    await vi.waitFor(() => expect(watching.offsets).toEqual([1, 2, 3]), patience);
    await deployment.server.kill();
    deployment.restore();
    const times = [watching, away].map(({ subscribed }) => subscribed.length);
    await deployment.start();
    away.client.connect();
    for (const [index, subscriber] of [watching, away].entries()) {
      const found = await subscriber.joinedAfter(times[index]!);
      expect(found).toMatchObject({ wasRecovering: true, recovered: false });
    }
    const last = await publish('anew');
    expect(last.offset).toBe(1);
    expect(last.epoch).not.toBe(epoch);
    for (const { publications } of [watching, away]) {
      await vi.waitFor(() => expect(publications.at(-1)?.data).toBe('anew'), patience);
    }
    const state = await deployment.call<Published & { readonly entries: readonly object[] }>(
      'map_read_state',
      { channel: map.channel },
    );
    expect(state.entries).toMatchObject([{ key: 'kept', data: 'before' }]);
    expect(state.epoch).not.toBe(mapEpoch);
    // From here on it is the server's own again.
    await deployment.server.kill();
    const timesRestored = watching.subscribed.length;
    await deployment.start();
    expect(await watching.joinedAfter(timesRestored)).toMatchObject({ recovered: true });
    expect(await publish('more')).toEqual({ offset: 2, epoch: last.epoch });
  });
});

describe('every namespace with history', () => {
  test('recovers across a deploy, and after a crash clients are told that they may have missed something', async () => {
    const deployment = await deploy();
    const watching = new Subscriber(deployment.client(), 'plain:a');
    const away = new Subscriber(deployment.client(), 'plain:a');
    await Promise.all([watching.joined(1), away.joined(1)]);
    const publish = (data: number): Promise<Published> =>
      deployment.call<Published>('publish', { channel: 'plain:a', data });
    const { epoch } = await publish(1);
    await vi.waitFor(() => expect([watching.offsets, away.offsets]).toEqual([[1], [1]]), patience);
    away.client.disconnect();
    for (let data = 2; data <= 50; data += 1) await publish(data);
    expect(await deployment.server.stop()).toBe(0);
    await deployment.start();
    away.client.connect();
    await Promise.all([watching.joined(2), away.joined(2)]);
    expect(await publish(51)).toEqual({ offset: 51, epoch });
    const all = Array.from({ length: 51 }, (_, offset) => offset + 1);
    await vi.waitFor(() => expect([watching.offsets, away.offsets]).toEqual([all, all]), patience);
    for (const { subscribed } of [watching, away]) {
      expect(subscribed[1]).toMatchObject({ wasRecovering: true, recovered: true });
    }
    // What the first one wrote when it stopped was used up by the second.
    await deployment.server.kill();
    await deployment.start();
    await Promise.all([watching.joined(3), away.joined(3)]);
    for (const { subscribed } of [watching, away]) {
      expect(subscribed[2]).toMatchObject({ wasRecovering: true, recovered: false });
    }
    expect((await publish(52)).epoch).not.toBe(epoch);
  });
});

describe('maps', () => {
  interface View {
    readonly state: Map<string, unknown>;
    readonly syncs: number[];
    readonly subscription: MapSubscription;
  }

  async function watch(deployment: Deployment, channel: string): Promise<View> {
    const subscription = deployment.client().newMapSubscription(channel, {
      minResubscribeDelay: 10,
      maxResubscribeDelay: 50,
    });
    const state = new Map<string, unknown>();
    const syncs: number[] = [];
    subscription.on('sync', ({ entries }) => {
      state.clear();
      for (const entry of entries) state.set(entry.key, entry.data);
      syncs.push(entries.length);
    });
    subscription.on('update', (update) => {
      if (update.removed === true) state.delete(update.key);
      else state.set(update.key, update.data);
    });
    subscription.subscribe();
    await subscription.ready(60_000);
    return { state, syncs, subscription };
  }

  const publish = (
    deployment: Deployment,
    channel: string,
    entry: { key: string; data: unknown },
  ): Promise<Published> => deployment.call<Published>('map_publish', { channel, ...entry });

  test.each([
    ['durable-map:a', 'kill'],
    ['durable-map:a', 'stop'],
    ['plain-map:a', 'stop'],
  ] as const)(
    '%s keeps its state and position when the server is told to %s',
    async (channel, how) => {
      const deployment = await deploy();
      const view = await watch(deployment, channel);
      for (let index = 0; index < 30; index += 1) {
        await publish(deployment, channel, { key: `key${index % 10}`, data: index });
      }
      await deployment.call('map_remove', { channel, key: 'key3' });
      const before = await publish(deployment, channel, { key: 'key4', data: 'last' });
      await vi.waitFor(() => expect(view.state.get('key4')).toBe('last'), patience);
      const expected = new Map(view.state);
      expect(expected.size).toBe(9);
      await deployment.server[how]();
      await deployment.start();
      const after = await publish(deployment, channel, { key: 'after', data: true });
      expect(after).toEqual({ epoch: before.epoch, offset: before.offset + 1 });
      expected.set('after', true);
      await vi.waitFor(() => expect(view.state).toEqual(expected), patience);
      // Changes were enough to go on: the state was not read again.
      expect(view.syncs).toHaveLength(1);
      const fresh = await watch(deployment, channel);
      expect(fresh.state).toEqual(expected);
    },
  );
});
