import { ManualClock } from '@holdfast/hub/testing';
import { expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { type RunningHub, startHub } from './running-hub.ts';

const intervalMs = 1_000;
/** An interval, and one tick of the hub's clock wheel. */
const oneRoundMs = intervalMs + 50;

function startConflating(clock: ManualClock): Promise<RunningHub> {
  return startHub({
    clock,
    channel: {
      withoutNamespace: {
        historySize: 100,
        historyTtlMs: 60_000,
        forceRecovery: true,
        allowedDeltaTypes: ['fossil'],
        deltaPublish: true,
        conflationIntervalMs: intervalMs,
        conflationKeyTag: 'symbol',
      },
    },
  });
}

function publish({ hub }: RunningHub, symbol: string, price: number) {
  return hub.publish('prices', { symbol, price, note: 'x'.repeat(100) }, { tags: { symbol } });
}

function pricesOf(session: RawSession): readonly unknown[] {
  return session.replies.flatMap(({ push }) =>
    push?.pub?.data === undefined
      ? []
      : [(JSON.parse(Buffer.from(push.pub.data).toString()) as { price: number }).price],
  );
}

test('each subscriber gets the latest of each key once an interval, in order', async () => {
  const clock = new ManualClock();
  await using running = await startConflating(clock);
  await using session = await RawSession.connect(running.url);
  await session.ask({ id: 2, subscribe: { channel: 'prices' } });
  for (let price = 1; price <= 10; price += 1) {
    await publish(running, price % 3 === 0 ? 'b' : 'a', price);
  }
  await vi.waitFor(() => expect(pricesOf(session)).toEqual([1]));
  clock.advance(oneRoundMs);
  await vi.waitFor(() => expect(pricesOf(session)).toEqual([1, 9, 10]));
  clock.advance(oneRoundMs);
  await publish(running, 'a', 11);
  await vi.waitFor(() => expect(pricesOf(session)).toEqual([1, 9, 10, 11]));
  expect(running.hub.metrics.conflated).toBe(7);
  expect(session.closed).toBeUndefined();
});

test('who published last is not told the older value of another', async () => {
  const clock = new ManualClock();
  await using running = await startConflating(clock);
  await using session = await RawSession.connect(running.url);
  await session.ask({ id: 2, subscribe: { channel: 'prices' } });
  const client = session.replies[0]?.connect?.client ?? '';
  await publish(running, 'a', 1);
  await publish(running, 'a', 2);
  await publish(running, 'b', 3);
  const own = { tags: { symbol: 'a' }, excludeClient: client };
  await running.hub.publish('prices', { price: 4 }, own);
  clock.advance(oneRoundMs);
  await vi.waitFor(() => expect(pricesOf(session)).toEqual([1, 3]));
});

test('a stock client with deltas has the latest of each key, also after its connection was cut', async () => {
  const clock = new ManualClock();
  await using running = await startConflating(clock);
  const client = running.client();
  const subscription = client.newSubscription('prices', { delta: 'fossil' });
  const prices = new Map<string, number>();
  let count = 0;
  subscription.on('publication', ({ data }) => {
    const { symbol, price, note } = data as { symbol: string; price: number; note: string };
    expect(note).toBe('x'.repeat(100));
    prices.set(symbol, price);
    count += 1;
  });
  const recoveries: boolean[] = [];
  subscription.on('subscribed', ({ wasRecovering, recovered }) => {
    if (wasRecovering) recoveries.push(recovered);
  });
  subscription.subscribe();
  client.connect();
  await subscription.ready(60_000);
  let price = 0;
  for (let round = 0; round < 6; round += 1) {
    for (const symbol of ['a', 'b', 'a', 'c', 'c', 'b']) {
      await publish(running, symbol, (price += 1));
    }
    // In the fourth round some wait in the server and are never sent.
    if (round === 3) running.cutConnections();
    else clock.advance(oneRoundMs);
    const latest = { a: price - 3, b: price, c: price - 1 };
    await vi.waitFor(() => expect(Object.fromEntries(prices)).toEqual(latest), { timeout: 60_000 });
  }
  expect(recoveries).toEqual([true]);
  expect(running.hub.metrics.conflated).toBeGreaterThan(0);
  expect(count).toBeLessThan(36);
});

test('keys of a map are conflated by themselves, with deltas', async () => {
  const clock = new ManualClock();
  await using running = await startHub({
    clock,
    channel: {
      withoutNamespace: {
        subscriptionType: 'map',
        map: { mode: 'persistent' },
        conflationIntervalMs: intervalMs,
      },
    },
  });
  const client = running.client();
  const subscription = client.newMapSubscription('state');
  const values = new Map<string, unknown>();
  let updates = 0;
  subscription.on('update', ({ key, data }) => {
    values.set(key, data);
    updates += 1;
  });
  subscription.subscribe();
  client.connect();
  await subscription.ready(60_000);
  for (let value = 1; value <= 10; value += 1) {
    await running.hub.publishMap('state', { key: value % 2 === 0 ? 'even' : 'odd', data: value });
  }
  clock.advance(oneRoundMs);
  await vi.waitFor(() => expect(Object.fromEntries(values)).toEqual({ even: 10, odd: 9 }));
  expect(updates).toBe(3);
});
