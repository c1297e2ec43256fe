import { describe, expect, test } from 'vitest';
import type { MapBroker, MapPublication } from '../ports/map-broker.ts';
import { describeMapBroker } from '../testing/describe-map-broker.ts';
import { createLinkedNodes } from '../testing/linked-nodes.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import {
  ephemeral,
  persistent,
  recoverable,
  summary,
  value,
  type MapBrokerTestbed,
} from '../testing/map-testbed.ts';
import { createMemoryNetwork } from '../testing/memory-network.ts';
import { MemoryMapExchange } from './memory-map-exchange.ts';

async function createTestbed(): Promise<MapBrokerTestbed> {
  const clock = new ManualClock();
  return createLinkedNodes<MapBroker>({
    network: createMemoryNetwork({ clock }),
    portOf: ({ maps }) => maps,
    advance: (ms) => clock.advance(ms),
    end: () => expect(clock.timerCount).toBe(0),
  });
}

describeMapBroker('MemoryMapBroker', createTestbed);

describe('memory of maps', () => {
  const kilobyte = 'x'.repeat(1000);

  test('a change without room is refused, and nothing of it happens', () => {
    const exchange = new MemoryMapExchange({ maxBytes: 20_000 });
    const publish = (key: string, data: string): unknown =>
      exchange.publish('x', value(key, data), { retention: ephemeral });
    let keys = 0;
    expect(() => {
      for (; keys < 100; keys += 1) publish(`k${keys}`, kilobyte);
    }).toThrow(expect.objectContaining({ name: 'ReplyError', code: 106 }));
    expect(keys).toBeGreaterThan(9);
    expect(exchange.stats('x')).toEqual({ keys });
    expect(exchange.usage()).toMatchObject({ refusedChanges: 1 });
    expect(exchange.usage().bytes).toBeLessThanOrEqual(20_000);
    // What makes it smaller is not refused, and then there is room again.
    publish('k0', '');
    exchange.remove('x', 'k1', { retention: ephemeral });
    publish('k1', kilobyte);
  });

  test('what makes a key smaller is not refused, even beyond the limit', () => {
    const exchange = new MemoryMapExchange({ maxBytes: 11_000 });
    const retention = { ...persistent, streamSize: 1 };
    const publish = (channel: string, key: string, length: number): unknown =>
      exchange.publish(channel, value(key, 'x'.repeat(length)), { retention });
    publish('x', 'k', 0);
    publish('y', 'k', 3000);
    publish('x', 'k', 500);
    expect(exchange.usage().bytes).toBeGreaterThan(11_000);
    expect(() => publish('x', 'k', 501)).toThrow('limit exceeded');
    publish('x', 'k', 499);
    exchange.remove('y', 'k', { retention });
    publish('x', 'k', 501);
  });

  test('updates of a few keys cannot fill the memory with their streams', () => {
    const exchange = new MemoryMapExchange({ maxBytes: 20_000 });
    expect(() => {
      for (let count = 0; count < 100; count += 1) {
        exchange.publish('x', value('k', kilobyte), { retention: persistent });
      }
    }).toThrow('limit exceeded');
    expect(exchange.usage().bytes).toBeLessThanOrEqual(20_000);
  });

  test('channels without keys make room for those that have some', () => {
    const exchange = new MemoryMapExchange({ maxBytes: 50_000 });
    for (let count = 0; count < 1000; count += 1) {
      exchange.readState(`made-up${count}`, { retention: recoverable, limit: 0 });
    }
    expect(exchange.usage().bytes).toBeLessThanOrEqual(50_000);
    exchange.publish('made-up999', value('k', 'mine'), { retention: recoverable });
    for (let count = 0; count < 20; count += 1) {
      exchange.publish('x', value(`k${count}`, kilobyte), {
        retention: { ...persistent, streamSize: 1 },
      });
    }
    expect(exchange.stats('x')).toEqual({ keys: 20 });
    expect(exchange.stats('made-up999')).toEqual({ keys: 1 });
    expect(exchange.usage().channels).toBeLessThan(30);
    expect(exchange.usage()).toMatchObject({ refusedChanges: 0 });
    expect(exchange.usage().bytes).toBeLessThanOrEqual(50_000);
  });

  test('nothing is left of what was removed, cleared or has expired', () => {
    const clock = new ManualClock();
    const exchange = new MemoryMapExchange({ clock });
    const detach = exchange.attach(() => undefined);
    const retention = { ...recoverable, keyTtlMs: 2000, streamTtlMs: 3000, metaTtlMs: 5000 };
    for (let count = 0; count < 50; count += 1) {
      for (const key of ['a', 'b']) {
        const idempotency = { idempotencyKey: key, idempotencyTtlMs: 1000 };
        exchange.publish(`expires${count}`, value(key, 'x'), { retention, ...idempotency });
        exchange.publish(`removed${count}`, value(key, 'x'), { retention: ephemeral });
        exchange.publish(`cleared${count}`, value(key, 'x'), { retention: persistent });
      }
      for (const key of ['a', 'b']) {
        exchange.remove(`removed${count}`, key, { retention: ephemeral });
      }
      exchange.clear(`cleared${count}`);
    }
    expect(exchange.usage()).toMatchObject({ channels: 50, idempotencyKeys: 100 });
    clock.advance(2100);
    expect(exchange.usage()).toMatchObject({ channels: 50, expiredKeys: 100, idempotencyKeys: 0 });
    clock.advance(6000);
    expect(exchange.usage()).toMatchObject({ channels: 0, bytes: 0 });
    detach();
    expect(clock.timerCount).toBe(0);
  });

  test('keys that were there before anybody attached expire too', () => {
    const clock = new ManualClock();
    const exchange = new MemoryMapExchange({ clock });
    const retention = { ...ephemeral, keyTtlMs: 1000 };
    exchange.publish('x', value('k', '1'), { retention });
    clock.advance(500);
    const removed: (string | undefined)[] = [];
    const attach = (): (() => void) =>
      exchange.attach(({ publication }) => removed.push(publication?.publication.key));
    attach()();
    const detach = attach();
    clock.advance(600);
    expect(removed).toEqual(['k']);
    detach();
  });

  test('a key with a long life is not looked at for nothing, and dies in time', () => {
    const clock = new ManualClock();
    const exchange = new MemoryMapExchange({ clock });
    const keys: (string | undefined)[] = [];
    const detach = exchange.attach(({ publication }) => keys.push(publication?.publication.key));
    const retention = { ...ephemeral, keyTtlMs: 3_600_000 };
    exchange.publish('x', value('k', '1'), { retention });
    clock.advance(1_000_000);
    expect(keys).toEqual(['k']);
    exchange.touch('x', 'k', { ...retention, keyTtlMs: 2000 });
    clock.advance(1900);
    expect(exchange.stats('x')).toEqual({ keys: 1 });
    clock.advance(200);
    expect(keys).toEqual(['k', 'k']);
    expect(exchange.usage()).toMatchObject({ channels: 0, bytes: 0, expiredKeys: 1 });
    exchange.publish('x', value('l', '1'), { retention });
    clock.advance(3_599_000);
    expect(keys).toEqual(['k', 'k', 'l']);
    clock.advance(1100);
    expect(keys).toEqual(['k', 'k', 'l', 'l']);
    detach();
  });

  test('expired keys are gone for readers even while nobody removes them', () => {
    const clock = new ManualClock();
    const exchange = new MemoryMapExchange({ clock });
    const retention = { ...recoverable, keyTtlMs: 1000 };
    for (const key of ['a', 'b', 'c']) exchange.publish('x', value(key, '1', 1), { retention });
    clock.advance(600);
    exchange.touch('x', 'b', retention);
    clock.advance(500);
    const readState = (filter: object): readonly string[] =>
      summary(exchange.readState('x', { retention, limit: -1, ...filter }).entries);
    expect(exchange.stats('x')).toEqual({ keys: 1 });
    expect([readState({}), readState({ key: 'a' })]).toEqual([['b=1'], []]);
    expect(exchange.touch('x', 'a', retention)).toBe(false);
    expect(exchange.remove('x', 'a', { retention }).suppressed).toBe('key_not_found');
    const options = { retention, keyMode: 'if_new', withPrevious: true } as const;
    expect(exchange.publish('x', value('a', '2', 2), options).suppressed).toBeUndefined();
    expect(readState({})).toEqual(['a=2', 'b=1']);
    expect(exchange.stats('x')).toEqual({ keys: 2 });
  });

  test('an expired key leaves nothing behind when it is published again', () => {
    const clock = new ManualClock();
    const exchange = new MemoryMapExchange({ clock });
    const retention = { ...ephemeral, keyTtlMs: 1000 };
    const publish = (): unknown => exchange.publish('x', value('k', '1', 3), { retention });
    publish();
    const { bytes } = exchange.usage();
    for (let count = 0; count < 5; count += 1) {
      clock.advance(1000);
      publish();
    }
    expect(exchange.usage().bytes).toBe(bytes);
    exchange.remove('x', 'k', { retention });
    expect(exchange.usage()).toMatchObject({ channels: 0, bytes: 0 });
  });

  test('what a handler does to keys that expire together with another one holds', () => {
    const clock = new ManualClock();
    const exchange = new MemoryMapExchange({ clock });
    const retention = { ...recoverable, keyTtlMs: 1000 };
    const changes: string[] = [];
    const detach = exchange.attach(({ channel, publication: event }) => {
      if (!event) {
        changes.push(`${channel} cleared`);
        return;
      }
      const publication = event.publication as MapPublication;
      changes.push(`${channel} ${summary([publication])[0]}`);
      if (!publication.removed) return;
      if (channel === 'x' && publication.key === 'a') {
        exchange.publish('x', value('b', 'again'), { retention });
      }
      if (channel === 'y' && publication.key === 'a') exchange.clear('y');
    });
    for (const channel of ['x', 'y']) {
      for (const key of ['a', 'b']) exchange.publish(channel, value(key, '1'), { retention });
    }
    clock.advance(1100);
    expect(changes.slice(4)).toEqual(['x -a', 'x b=again', 'y -a', 'y cleared']);
    expect(exchange.stats('x')).toEqual({ keys: 1 });
    expect(exchange.usage().channels).toBe(1);
    detach();
  });
});
