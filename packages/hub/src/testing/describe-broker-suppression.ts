import { describe, expect, test } from 'vitest';
import { kept, startNode, type BrokerTestbed } from './broker-testbed.ts';
import { bytes, uniqueName } from './port-testbed.ts';

const everything = { limit: -1, historyMetaTtlMs: kept.historyMetaTtlMs };

/** Part of `describeBroker`: publishes that change nothing. */
export function describeBrokerSuppression(createTestbed: () => Promise<BrokerTestbed>): void {
  describe('idempotency key', () => {
    test('a repeated publish returns the first position and reaches nobody', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('idempotent');
      const { broker, events } = await startNode(testbed, channel);
      const { broker: other } = await startNode(testbed);
      const options = { ...kept, idempotencyKey: 'order-1' };
      const first = await broker.publish(channel, { data: bytes('a') }, options);
      expect(first.suppressed).toBeUndefined();
      await broker.publish(channel, { data: bytes('b') }, kept);
      const repeated = await other.publish(channel, { data: bytes('c') }, options);
      expect(repeated).toEqual({ position: first.position, suppressed: 'idempotency' });
      await broker.publish(channel, { data: bytes('d') }, kept);
      await events.arrived(channel, 'd');
      expect(events.dataOf(channel)).toEqual(['a', 'b', 'd']);
      expect((await broker.history(channel, everything)).position.offset).toBe(3);
    });

    test('of many parallel publishes with one key exactly one happens', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('idempotent-parallel');
      const first = await startNode(testbed, channel);
      const second = await startNode(testbed, channel);
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          (index % 2 === 0 ? first : second).broker.publish(
            channel,
            { data: bytes(`${index}`) },
            { ...kept, idempotencyKey: 'k' },
          ),
        ),
      );
      expect(results.filter(({ suppressed }) => suppressed === undefined)).toHaveLength(1);
      expect(new Set(results.map(({ position }) => position?.offset))).toEqual(new Set([1]));
      await first.broker.publish(channel, { data: bytes('end') }, kept);
      for (const { events } of [first, second]) {
        await events.arrived(channel, 'end');
        expect(events.dataOf(channel)).toHaveLength(2);
      }
    });

    test('works without history', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('idempotent-no-history');
      const { broker, events } = await startNode(testbed, channel);
      const options = { ...kept, historySize: 0, idempotencyKey: 'k' };
      expect(await broker.publish(channel, { data: bytes('1') }, options)).toEqual({});
      expect(await broker.publish(channel, { data: bytes('2') }, options)).toEqual({
        suppressed: 'idempotency',
      });
      await broker.publish(channel, { data: bytes('3') }, { ...kept, historySize: 0 });
      await events.arrived(channel, '3');
      expect(events.dataOf(channel)).toEqual(['1', '3']);
    });

    test('belongs to its channel, and names that run together are told apart', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('idempotent-scope');
      const { broker } = await startNode(testbed);
      const publish = (channel: string, idempotencyKey: string): Promise<unknown> =>
        broker.publish(channel, {}, { ...kept, idempotencyKey });
      for (const [name, key] of [
        [channel, 'k'],
        [channel, 'l'],
        [`${channel}k`, ''],
        [`${channel}:`, 'k'],
        [channel, ':k'],
      ] as const) {
        expect(await publish(name, key)).not.toHaveProperty('suppressed');
      }
    });

    test('is forgotten after its TTL', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('idempotent-ttl');
      const { broker } = await startNode(testbed);
      const options = { ...kept, idempotencyKey: 'k', idempotencyTtlMs: 1000 };
      await broker.publish(channel, {}, options);
      await testbed.advance(500);
      expect(await broker.publish(channel, {}, options)).toMatchObject({
        position: { offset: 1 },
        suppressed: 'idempotency',
      });
      await testbed.advance(600);
      const late = await broker.publish(channel, {}, options);
      expect(late.suppressed).toBeUndefined();
      expect(late.position?.offset).toBe(2);
    });
  });

  describe('version', () => {
    test('publishes only what is above the last version', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('version');
      const { broker, events } = await startNode(testbed, channel);
      const { broker: other } = await startNode(testbed);
      const publish = (version: number): Promise<unknown> =>
        other.publish(channel, { data: bytes(`${version}`) }, { ...kept, version });
      for (const version of [5, 5, 4, 6, 9_007_199_254_740_991, 7]) await publish(version);
      expect(await publish(8)).toMatchObject({ position: { offset: 3 }, suppressed: 'version' });
      await broker.publish(channel, { data: bytes('none') }, kept);
      expect(await publish(10)).toMatchObject({ suppressed: 'version' });
      await events.arrived(channel, 'none');
      expect(events.dataOf(channel)).toEqual(['5', '6', '9007199254740991', 'none']);
      expect((await broker.history(channel, everything)).publications).toHaveLength(4);
    });

    test('versions of another epoch start over', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('version-epoch');
      const { broker } = await startNode(testbed);
      const publish = async (version: number, versionEpoch?: string): Promise<string> => {
        const epoch = versionEpoch === undefined ? {} : { versionEpoch };
        const result = await broker.publish(channel, {}, { ...kept, version, ...epoch });
        return result.suppressed ?? 'published';
      };
      expect(await publish(10, 'a')).toBe('published');
      expect(await publish(3, 'a')).toBe('version');
      expect(await publish(3, 'b')).toBe('published');
      expect(await publish(3, 'b')).toBe('version');
      expect(await publish(2)).toBe('version');
      expect(await publish(4)).toBe('published');
      expect(await publish(1, 'a')).toBe('published');
    });

    test('of parallel publishes with one version exactly one happens', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('version-parallel');
      const { broker } = await startNode(testbed);
      const { broker: other } = await startNode(testbed);
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          (index % 2 === 0 ? broker : other).publish(channel, {}, { ...kept, version: 1 }),
        ),
      );
      expect(results.filter(({ suppressed }) => suppressed === undefined)).toHaveLength(1);
      expect((await broker.history(channel, everything)).position.offset).toBe(1);
    });

    test('outlives the publications', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('version-expired');
      const { broker } = await startNode(testbed);
      const options = { ...kept, historyTtlMs: 1000, version: 2 };
      await broker.publish(channel, {}, options);
      await testbed.advance(1100);
      expect(await broker.publish(channel, {}, options)).toMatchObject({ suppressed: 'version' });
      await broker.removeHistory(channel);
      expect(await broker.publish(channel, {}, options)).toMatchObject({ suppressed: 'version' });
    });
  });
}
