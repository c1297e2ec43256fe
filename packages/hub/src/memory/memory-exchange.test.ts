import { describe, expect, test } from 'vitest';
import { MemoryExchange, type Delivery } from './memory-exchange.ts';
import { ManualClock } from '../testing/manual-clock.ts';

const kept = { historySize: 10, historyTtlMs: 1000, historyMetaTtlMs: 5000 };
const read = { limit: -1, historyMetaTtlMs: 5000 };

function kilobyte(): { readonly data: Uint8Array } {
  return { data: new Uint8Array(1000) };
}

describe('order of deliveries', () => {
  test('a publish from inside a receiver reaches every node after what caused it', () => {
    const exchange = new MemoryExchange();
    const seen: Record<'a' | 'b', (number | undefined)[]> = { a: [], b: [] };
    exchange.attach(({ publication }) => {
      seen.a.push(publication?.position?.offset);
      if (seen.a.length < 4) exchange.publish('x', {}, kept);
    });
    exchange.attach(({ publication }) => seen.b.push(publication?.position?.offset));
    exchange.publish('x', {}, kept);
    expect(seen).toEqual({ a: [1, 2, 3, 4], b: [1, 2, 3, 4] });
  });

  test('a receiver that throws does not keep later deliveries back', async () => {
    const exchange = new MemoryExchange();
    const seen: (number | undefined)[] = [];
    exchange.attach(({ publication }: Delivery) => {
      if (publication?.position?.offset !== 1) return;
      exchange.publish('x', {}, kept);
      throw new Error('against the contract');
    });
    exchange.attach(({ publication }) => seen.push(publication?.position?.offset));
    expect(() => exchange.publish('x', {}, kept)).toThrow('against the contract');
    await Promise.resolve();
    expect(seen).toEqual([2]);
    exchange.publish('x', {}, kept);
    expect(seen).toEqual([2, 3]);
  });
});

describe('memory', () => {
  test('streams not used lately go first, and their channels learn it by a new epoch', () => {
    const exchange = new MemoryExchange({ maxBytes: 14_000 });
    const publish = (channel: string): string | undefined =>
      exchange.publish(channel, kilobyte(), { ...kept, historyTtlMs: 1e6 }).position?.epoch;
    const epochs = Array.from({ length: 5 }, (_, index) => publish(`channel${index}`));
    publish('channel5');
    expect(exchange.usage().evictedStreams).toBe(0);
    for (let more = 6; more < 9; more += 1) publish(`channel${more}`);
    // Marked by the first lap of the search; only this one is used again.
    publish('channel4');
    for (let more = 9; more < 12; more += 1) publish(`channel${more}`);
    const usage = exchange.usage();
    expect(usage.bytes).toBeLessThanOrEqual(14_000);
    expect(usage.evictedStreams).toBeGreaterThan(0);
    expect(exchange.history('channel4', read).position.epoch).toBe(epochs[4]);
    const first = exchange.history('channel0', read);
    expect(first.position.epoch).not.toBe(epochs[0]);
    expect(first).toMatchObject({ publications: [], position: { offset: 0 } });
  });

  test('one stream over the budget keeps its newest publications', () => {
    const exchange = new MemoryExchange({ maxBytes: 5000 });
    for (let count = 0; count < 10; count += 1) {
      exchange.publish('x', kilobyte(), { ...kept, historySize: 100 });
    }
    const { publications } = exchange.history('x', read);
    expect(publications.map(({ offset }) => offset)).toEqual([8, 9, 10]);
    expect(exchange.usage()).toMatchObject({ streams: 1, evictedStreams: 0 });
  });

  test('reading unknown channels over and over stays within the budget', () => {
    const exchange = new MemoryExchange({ maxBytes: 30_000 });
    for (let count = 0; count < 10_000; count += 1) exchange.history(`made-up${count}`, read);
    expect(exchange.usage()).toMatchObject({ streams: 100, bytes: 30_000 });
  });

  test('the oldest idempotency keys are forgotten at the limit', () => {
    const exchange = new MemoryExchange({ maxIdempotencyKeys: 2 });
    const publish = (idempotencyKey: string): string | undefined =>
      exchange.publish('x', {}, { ...kept, idempotencyKey }).suppressed;
    for (const key of ['a', 'b', 'c']) expect(publish(key)).toBeUndefined();
    expect(publish('b')).toBe('idempotency');
    expect(publish('a')).toBeUndefined();
    expect(exchange.usage()).toMatchObject({ idempotencyKeys: 2, evictedIdempotencyKeys: 2 });
  });

  test('what has expired is swept away without anybody asking for it', () => {
    const clock = new ManualClock();
    const exchange = new MemoryExchange({ clock });
    const detach = exchange.attach(() => undefined);
    for (let count = 0; count < 100; count += 1) {
      exchange.publish(`x${count}`, kilobyte(), {
        ...kept,
        idempotencyKey: 'k',
        idempotencyTtlMs: 3000,
      });
    }
    const before = exchange.usage();
    expect(before).toMatchObject({ streams: 100, idempotencyKeys: 100 });
    clock.advance(2000);
    const withoutHistory = exchange.usage();
    expect(withoutHistory.streams).toBe(100);
    expect(before.bytes - withoutHistory.bytes).toBe(100 * 1300);
    clock.advance(3000);
    expect(exchange.usage()).toMatchObject({ streams: 0, bytes: 0, idempotencyKeys: 0 });
    expect(clock.timerCount).toBe(1);
    detach();
    expect(clock.timerCount).toBe(0);
  });
});
