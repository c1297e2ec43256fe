import { describe, expect, test, vi } from 'vitest';
import { startNode } from './broker-testbed.ts';
import {
  ephemeral,
  persistent,
  recoverable,
  stateOf,
  summary,
  value,
  type MapBrokerTestbed,
} from './map-testbed.ts';
import { text, uniqueName } from './port-testbed.ts';

const expiring = [
  ['ephemeral', { ...ephemeral, keyTtlMs: 1000 }],
  ['recoverable', { ...recoverable, keyTtlMs: 1000 }],
] as const;

/** Part of `describeMapBroker`: how long keys, streams and channels live. */
export function describeMapLifetime(createTestbed: () => Promise<MapBrokerTestbed>): void {
  describe('lifetime', () => {
    test.each(expiring)('%s: a key expires, and its removal is heard of', async (_, retention) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('expiry');
      const { broker, events } = await startNode(testbed, channel);
      const other = await startNode(testbed, channel);
      const tags = { group: 'a' };
      await broker.publish(channel, { ...value('goes', '1'), tags }, { retention });
      await broker.publish(channel, value('stays', '1'), { retention });
      await testbed.advance(600);
      await other.broker.publish(channel, value('stays', '2'), { retention });
      await testbed.advance(500);
      expect(await stateOf(broker, channel, retention)).toEqual(['stays=2']);
      expect(await broker.stats(channel)).toEqual({ keys: 1 });
      const single = await broker.readState(channel, { retention, limit: 1, key: 'goes' });
      expect(single.entries).toEqual([]);
      for (const node of [events, other.events]) {
        await vi.waitFor(() => expect(node.publications).toHaveLength(4), 60_000);
        const removal = node.publications[3];
        expect(removal?.publication).toMatchObject({ key: 'goes', removed: true, tags });
        expect(removal?.position?.offset).toBe(retention.streamSize > 0 ? 4 : undefined);
      }
      const { publications } = await broker.readStream(channel, { retention, limit: -1 });
      expect(summary(publications)).toEqual(
        retention.streamSize > 0 ? ['goes=1', 'stays=1', 'stays=2', '-goes'] : [],
      );
    });

    test.each(expiring)(
      '%s: a touch gives a key time, and nobody hears of it',
      async (_, retention) => {
        await using testbed = await createTestbed();
        const channel = uniqueName('touch');
        const { broker, events } = await startNode(testbed, channel);
        const { broker: other } = await startNode(testbed);
        await broker.publish(channel, value('k', '1'), { retention });
        for (let count = 0; count < 3; count += 1) {
          await testbed.advance(600);
          expect(await other.touch(channel, 'k', retention)).toBe(true);
        }
        expect(await broker.touch(channel, 'other', retention)).toBe(false);
        expect(await stateOf(broker, channel, retention)).toEqual(['k=1']);
        expect(events.publications).toHaveLength(1);
        await testbed.advance(1100);
        expect(await other.touch(channel, 'k', retention)).toBe(false);
        await vi.waitFor(() => expect(events.publications).toHaveLength(2), 60_000);
        expect(events.publications[1]?.publication).toMatchObject({ key: 'k', removed: true });
      },
    );

    test.each(expiring)(
      '%s: an expired key is a new one for its next publish',
      async (_, retention) => {
        await using testbed = await createTestbed();
        const channel = uniqueName('reborn');
        const { broker, events } = await startNode(testbed, channel);
        await broker.publish(channel, value('k', '1', 5), { retention, version: 9 });
        await testbed.advance(1000);
        const conditions = { retention, keyMode: 'if_exists' } as const;
        expect(await broker.publish(channel, value('k', '2'), conditions)).toMatchObject({
          suppressed: 'key_not_found',
        });
        const options = { retention, keyMode: 'if_new', version: 1, withPrevious: true } as const;
        const result = await broker.publish(channel, value('k', '3'), options);
        expect(result.suppressed).toBeUndefined();
        await testbed.advance(600);
        expect(await stateOf(broker, channel, retention)).toEqual(['k=3']);
        expect(await broker.stats(channel)).toEqual({ keys: 1 });
        await events.arrived(channel, '3');
        const reborn = events.publications.find(
          ({ publication }) => text(publication.data) === '3',
        );
        expect(reborn?.position).toEqual(result.position);
        expect(reborn).not.toHaveProperty('previous');
      },
    );

    test('keys of a cleared channel do not expire later', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('cleared');
      const { broker, events } = await startNode(testbed, channel);
      const retention = { ...recoverable, keyTtlMs: 1000 };
      await broker.publish(channel, value('old', '1'), { retention });
      await broker.clear(channel);
      await broker.publish(channel, value('new', '2'), { retention });
      await testbed.advance(2000);
      await vi.waitFor(() => expect(events.publications).toHaveLength(3), 60_000);
      expect(events.publications.map(({ publication }) => publication.key)).toEqual([
        'old',
        'new',
        'new',
      ]);
    });

    test('changes outlive a shorter meta TTL, and the epoch with them', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('short-meta');
      const { broker } = await startNode(testbed);
      const retention = { ...persistent, streamTtlMs: 3000, metaTtlMs: 500 };
      await broker.publish(channel, value('k', '1'), { retention });
      const { position } = await broker.remove(channel, 'k', { retention });
      await testbed.advance(1000);
      const page = await broker.readStream(channel, { retention, limit: -1 });
      expect([summary(page.publications), page.position]).toEqual([['k=1', '-k'], position]);
    });

    test('changes expire together; the state and the position stay', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('stream-ttl');
      const { broker } = await startNode(testbed);
      const retention = { ...persistent, streamTtlMs: 1000 };
      await broker.publish(channel, value('a', '1'), { retention });
      await testbed.advance(600);
      await broker.publish(channel, value('b', '2'), { retention });
      await testbed.advance(600);
      const alive = await broker.readStream(channel, { retention, limit: -1 });
      expect(summary(alive.publications)).toEqual(['a=1', 'b=2']);
      await testbed.advance(500);
      const expired = await broker.readStream(channel, { retention, limit: -1 });
      expect(expired).toEqual({ publications: [], position: alive.position });
      expect(await stateOf(broker, channel, retention)).toEqual(['a=1', 'b=2']);
      const next = await broker.publish(channel, value('a', '3'), { retention });
      expect(next.position).toEqual({ ...alive.position, offset: 3 });
    });

    test('a channel with keys is never forgotten', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('persistent');
      const { broker } = await startNode(testbed);
      const retention = { ...persistent, streamTtlMs: 500, metaTtlMs: 1000 };
      const { position } = await broker.publish(channel, value('a', '1'), { retention });
      await testbed.advance(3000);
      const page = await broker.readState(channel, { retention, limit: -1 });
      expect([summary(page.entries), page.position]).toEqual([['a=1'], position]);
      const next = await broker.publish(channel, value('a', '2'), { retention });
      expect(next.position).toEqual({ ...position, offset: 2 });
    });

    test('epoch and top offset outlive the last key, then the channel starts over', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('meta-ttl');
      const { broker } = await startNode(testbed);
      const retention = { ...persistent, streamTtlMs: 500, metaTtlMs: 2000 };
      const filter = { retention, limit: -1 };
      await broker.publish(channel, value('a', '1'), { retention });
      const { position } = await broker.remove(channel, 'a', { retention });
      expect(position?.offset).toBe(2);
      await testbed.advance(1200);
      expect((await broker.readState(channel, filter)).position).toEqual(position);
      // The read gave it two seconds more.
      await testbed.advance(1200);
      expect((await broker.readStream(channel, filter)).position).toEqual(position);
      await testbed.advance(2100);
      const anew = await broker.publish(channel, value('a', '2'), { retention });
      expect(anew.position?.offset).toBe(1);
      expect(anew.position?.epoch).not.toBe(position?.epoch);
    });
  });
}
