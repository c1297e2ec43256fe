import { describe, expect, test } from 'vitest';
import type { MapChangeResult, MapPublishOptions } from '../ports/map-broker.ts';
import { startNode } from './broker-testbed.ts';
import {
  ephemeral,
  modes,
  persistent,
  recoverable,
  stateOf,
  value,
  type MapBrokerTestbed,
} from './map-testbed.ts';
import { text, uniqueName } from './port-testbed.ts';

/** Part of `describeMapBroker`: changes that happen only on conditions. */
export function describeMapChanges(createTestbed: () => Promise<MapBrokerTestbed>): void {
  describe('conditions', () => {
    test.each(modes)('%s: key modes', async (_, retention) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('key-mode');
      const { broker, events } = await startNode(testbed, channel);
      const publish = async (
        data: string,
        keyMode?: MapPublishOptions['keyMode'],
      ): Promise<string> => {
        const options = { retention, ...(keyMode === undefined ? {} : { keyMode }) };
        const result = await broker.publish(channel, value('k', data), options);
        return result.suppressed ?? 'published';
      };
      expect(await publish('1', 'if_exists')).toBe('key_not_found');
      expect(await publish('2', 'if_new')).toBe('published');
      expect(await publish('3', 'if_new')).toBe('key_exists');
      expect(await publish('4', 'if_exists')).toBe('published');
      expect(await publish('5')).toBe('published');
      await broker.remove(channel, 'k', { retention });
      expect(await publish('6', 'if_exists')).toBe('key_not_found');
      expect(await publish('7', 'if_new')).toBe('published');
      await events.arrived(channel, '7');
      expect(events.dataOf(channel)).toEqual(['2', '4', '5', '', '7']);
      expect(await stateOf(broker, channel, retention)).toEqual(['k=7']);
    });

    test('of many parallel claims of a new key exactly one wins', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('claim');
      const nodes = [await startNode(testbed), await startNode(testbed)];
      for (const [mode, retention] of modes) {
        const results = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            nodes[index % 2]!.broker.publish(`${channel}/${mode}`, value('slot', `${index}`), {
              retention,
              keyMode: 'if_new',
            }),
          ),
        );
        const winners = results.flatMap(({ suppressed }, index) =>
          suppressed === undefined ? [index] : [],
        );
        expect(winners).toHaveLength(1);
        const state = await stateOf(nodes[0]!.broker, `${channel}/${mode}`, retention);
        expect(state).toEqual([`slot=${winners[0]}`]);
      }
    });

    test.each(modes)('%s: removing a key that is not there', async (_, retention) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('not-there');
      const { broker, events } = await startNode(testbed, channel);
      expect(await broker.remove(channel, 'k', { retention })).toMatchObject({
        suppressed: 'key_not_found',
      });
      await broker.publish(channel, value('k', '1'), { retention });
      expect(await broker.remove(channel, 'other', { retention })).toMatchObject({
        suppressed: 'key_not_found',
      });
      await broker.remove(channel, 'k', { retention });
      const again = await broker.remove(channel, 'k', { retention });
      expect(again.suppressed).toBe('key_not_found');
      expect(again.position?.offset).toBe(retention.streamSize > 0 ? 2 : undefined);
      await broker.publish(channel, value('k', 'end'), { retention });
      await events.arrived(channel, 'end');
      expect(events.publications).toHaveLength(3);
    });

    test('an expected position lets only one of two writers through', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('cas');
      const { broker } = await startNode(testbed);
      const { broker: other } = await startNode(testbed);
      const retention = persistent;
      const read = async (): Promise<{ readonly offset: number; readonly epoch: string }> => {
        const page = await broker.readState(channel, { retention, limit: 1, key: 'k' });
        return { offset: page.entries[0]?.offset ?? 0, epoch: page.position?.epoch ?? '' };
      };
      const nothing = await read();
      const early = { retention, expectedPosition: nothing };
      expect(await broker.publish(channel, value('k', '0'), early)).toMatchObject({
        suppressed: 'position_mismatch',
      });
      await broker.publish(channel, value('k', '1'), { retention });
      await broker.publish(channel, value('other', '1'), { retention });
      const expectedPosition = await read();
      expect(expectedPosition.offset).toBe(1);
      const options = { retention, expectedPosition };
      const results = await Promise.all([
        broker.publish(channel, value('k', '2'), options),
        other.publish(channel, value('k', '3'), options),
      ]);
      const lost = results.filter(({ suppressed }) => suppressed === 'position_mismatch');
      expect(lost).toHaveLength(1);
      const [{ current }] = lost as [MapChangeResult];
      const { entries } = await broker.readState(channel, { retention, limit: 1, key: 'k' });
      expect([current]).toEqual(entries);
      expect(['2', '3']).toContain(text(current?.data));
      expect(await other.remove(channel, 'k', options)).toMatchObject({
        suppressed: 'position_mismatch',
        current,
        position: { offset: 3 },
      });
      const wrongEpoch = { offset: 3, epoch: `not-${expectedPosition.epoch}` };
      expect(
        await other.remove(channel, 'k', { retention, expectedPosition: wrongEpoch }),
      ).toMatchObject({ suppressed: 'position_mismatch' });
      const removed = await other.remove(channel, 'k', {
        retention,
        expectedPosition: await read(),
      });
      expect(removed).toEqual({ position: { offset: 4, epoch: expectedPosition.epoch } });
    });

    test('without a stream no position is ever the expected one', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('cas-ephemeral');
      const { broker } = await startNode(testbed);
      await broker.publish(channel, value('k', '1'), { retention: ephemeral });
      const options = { retention: ephemeral, expectedPosition: { offset: 0, epoch: '' } };
      const published = await broker.publish(channel, value('k', '2'), options);
      expect(published.suppressed).toBe('position_mismatch');
      expect(text(published.current?.data)).toBe('1');
      expect(published).not.toHaveProperty('position');
      const removed = await broker.remove(channel, 'k', options);
      expect(removed.suppressed).toBe('position_mismatch');
    });

    test.each(modes)('%s: versions belong to their key', async (_, retention) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('version');
      const { broker } = await startNode(testbed);
      const publish = async (key: string, version: number, epoch?: string): Promise<string> => {
        const versionEpoch = epoch === undefined ? {} : { versionEpoch: epoch };
        const options = { retention, version, ...versionEpoch };
        const result = await broker.publish(channel, value(key, `${version}`), options);
        return result.suppressed ?? 'published';
      };
      expect(await publish('a', 5)).toBe('published');
      expect(await publish('a', 5)).toBe('version');
      expect(await publish('a', 4)).toBe('version');
      expect(await publish('b', 1)).toBe('published');
      expect(await publish('a', 6, 'x')).toBe('published');
      expect(await publish('a', 6, 'x')).toBe('version');
      expect(await publish('a', 1, 'y')).toBe('published');
      await broker.publish(channel, value('a', 'none'), { retention });
      expect(await publish('a', 1, 'y')).toBe('version');
      expect(await publish('a', 1)).toBe('version');
      await broker.remove(channel, 'a', { retention });
      expect(await publish('a', 1, 'y')).toBe('published');
      expect((await stateOf(broker, channel, retention)).toSorted()).toEqual(['a=1', 'b=1']);
    });

    test.each(modes)('%s: idempotency', async (_, retention) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('idempotent');
      const { broker, events } = await startNode(testbed, channel);
      const { broker: other } = await startNode(testbed);
      const options = { retention, idempotencyKey: 'request-1' };
      const refused = { ...options, keyMode: 'if_exists' } as const;
      // What did not happen is not remembered.
      await broker.publish(channel, value('k', '0'), refused);
      const first = await broker.publish(channel, value('k', '1'), options);
      expect(first.suppressed).toBeUndefined();
      await broker.publish(channel, value('k', '2'), { retention });
      const results = await Promise.all(
        Array.from({ length: 20 }, () => other.publish(channel, value('k', '3'), options)),
      );
      for (const result of results) {
        expect(result).toEqual({ ...first, suppressed: 'idempotency' });
      }
      const removal = { retention, idempotencyKey: 'request-2' };
      const removed = await broker.remove(channel, 'k', removal);
      expect(removed.suppressed).toBeUndefined();
      expect(await other.remove(channel, 'k', removal)).toEqual({
        ...removed,
        suppressed: 'idempotency',
      });
      await broker.publish(channel, value('k', 'end'), { retention });
      await events.arrived(channel, 'end');
      expect(events.dataOf(channel)).toEqual(['1', '2', '', 'end']);
    });

    test('an idempotency key is forgotten after its TTL', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('idempotent-ttl');
      const { broker } = await startNode(testbed);
      const options = { retention: persistent, idempotencyKey: 'k', idempotencyTtlMs: 1000 };
      await broker.publish(channel, value('k', '1'), options);
      await testbed.advance(1100);
      const late = await broker.publish(channel, value('k', '2'), options);
      expect(late).toMatchObject({ position: { offset: 2 } });
      expect(late.suppressed).toBeUndefined();
    });

    test('the reasons are looked for in their order', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('reasons');
      const { broker } = await startNode(testbed);
      const retention = recoverable;
      const idempotencyKey = 'k';
      await broker.publish(channel, value('k', '1'), { retention, idempotencyKey, version: 5 });
      const expectedPosition = { offset: 99, epoch: 'x' };
      const all = { retention, keyMode: 'if_new', expectedPosition, version: 1 } as const;
      const publish = async (options: MapPublishOptions): Promise<string | undefined> =>
        (await broker.publish(channel, value('k', '2'), options)).suppressed;
      expect(await publish({ ...all, idempotencyKey })).toBe('idempotency');
      expect(await publish(all)).toBe('key_exists');
      expect(await publish({ ...all, keyMode: 'if_exists' })).toBe('position_mismatch');
      expect(await publish({ retention, version: 1 })).toBe('version');
    });
  });
}
