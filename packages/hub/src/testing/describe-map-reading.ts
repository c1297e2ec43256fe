import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type {
  MapBroker,
  MapPublication,
  MapRetention,
  MapStateFilter,
} from '../ports/map-broker.ts';
import { startNode } from './broker-testbed.ts';
import {
  ephemeral,
  modes,
  persistent,
  recoverable,
  stateOf,
  summary,
  value,
  type MapBrokerTestbed,
} from './map-testbed.ts';
import { uniqueName } from './port-testbed.ts';

async function readPages(
  broker: MapBroker,
  channel: string,
  filter: MapStateFilter,
): Promise<readonly (readonly string[])[]> {
  const pages: (readonly string[])[] = [];
  let cursor = '';
  do {
    const page = await broker.readState(channel, { ...filter, cursor });
    pages.push(page.entries.map(({ key }) => key));
    ({ cursor } = page);
  } while (cursor !== '');
  return pages;
}

/** Part of `describeMapBroker`: reading state and stream. */
export function describeMapReading(createTestbed: () => Promise<MapBrokerTestbed>): void {
  describe('reading', () => {
    test.each(modes)('%s: by score, in pages, in both directions', async (_, retention) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('pages');
      const { broker } = await startNode(testbed);
      const scores = { b: 5, d: -1.5, a: 5, c: 10, e: 0, f: 0 };
      for (const [key, score] of Object.entries(scores)) {
        await broker.publish(channel, value(key, key, score), { retention });
      }
      await broker.publish(channel, value('g', 'g'), { retention });
      const pages = (limit: number, asc = false): Promise<readonly (readonly string[])[]> =>
        readPages(broker, channel, { retention, limit, asc });
      const order = ['c', 'a', 'b', 'e', 'f', 'g', 'd'];
      expect(await pages(-1)).toEqual([order]);
      expect(await pages(7)).toEqual([order]);
      expect(await pages(100)).toEqual([order]);
      expect(await pages(3)).toEqual([order.slice(0, 3), order.slice(3, 6), order.slice(6)]);
      expect(await pages(1)).toEqual(order.map((key) => [key]));
      expect(await pages(4, true)).toEqual([
        order.toReversed().slice(0, 4),
        order.toReversed().slice(4),
      ]);
      // Another score moves a key, the same one leaves it where it is.
      await broker.publish(channel, value('d', 'd', 7), { retention });
      await broker.publish(channel, value('b', 'b', 5), { retention });
      expect(await pages(2)).toEqual([['c', 'd'], ['a', 'b'], ['e', 'f'], ['g']]);
      expect(await broker.stats(channel)).toEqual({ keys: 7 });
    });

    test('a key alone, and the position alone', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('alone');
      const { broker } = await startNode(testbed);
      const retention = recoverable;
      for (const key of ['a', 'b']) await broker.publish(channel, value(key, key), { retention });
      const position = { offset: 2, epoch: expect.stringMatching(/./) as string };
      const read = (filter: Partial<MapStateFilter>): ReturnType<MapBroker['readState']> =>
        broker.readState(channel, { retention, limit: -1, ...filter });
      expect(await read({ limit: 0 })).toEqual({ entries: [], position, cursor: '' });
      const found = await read({ key: 'b' });
      expect([summary(found.entries), found.position]).toEqual([['b=b'], position]);
      expect(await read({ key: 'none' })).toEqual({ entries: [], position, cursor: '' });
    });

    test.each(modes)('%s: a channel that nobody used', async (_, retention) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('unknown');
      const { broker } = await startNode(testbed);
      const { broker: other } = await startNode(testbed);
      const state = await broker.readState(channel, { retention, limit: -1 });
      const stream = await other.readStream(channel, { retention, limit: -1, reverse: true });
      expect([state.entries, state.cursor, stream.publications]).toEqual([[], '', []]);
      expect(await broker.stats(channel)).toEqual({ keys: 0 });
      expect(await broker.touch(channel, 'k', retention)).toBe(false);
      expect(stream.position).toEqual(state.position);
      expect(state.position?.offset).toBe(retention.streamSize > 0 ? 0 : undefined);
      const { position } = await other.publish(channel, value('k', '1'), { retention });
      expect(position?.epoch).toBe(state.position?.epoch);
    });

    test('the stream from both ends, from any offset', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('stream');
      const { broker } = await startNode(testbed);
      const retention = { ...persistent, streamSize: 4 };
      for (const data of ['1', '2', '3', '4']) {
        await broker.publish(channel, value('a', data), { retention });
      }
      await broker.remove(channel, 'a', { retention });
      await broker.publish(channel, value('b', '6'), { retention });
      const read = async (filter: object): Promise<readonly string[]> => {
        const page = await broker.readStream(channel, { retention, limit: -1, ...filter });
        expect(page.position?.offset).toBe(6);
        return summary(page.publications);
      };
      expect(await read({})).toEqual(['a=3', 'a=4', '-a', 'b=6']);
      expect(await read({ limit: 0 })).toEqual([]);
      expect(await read({ limit: 2 })).toEqual(['a=3', 'a=4']);
      expect(await read({ sinceOffset: 4 })).toEqual(['-a', 'b=6']);
      expect(await read({ sinceOffset: 4, limit: 1 })).toEqual(['-a']);
      expect(await read({ sinceOffset: 6 })).toEqual([]);
      expect(await read({ sinceOffset: 0 })).toEqual(['a=3', 'a=4', '-a', 'b=6']);
      expect(await read({ reverse: true, limit: 2 })).toEqual(['b=6', '-a']);
      expect(await read({ reverse: true, sinceOffset: 5 })).toEqual(['a=4', 'a=3']);
    });

    test('without a stream there is nothing to read from it', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('no-stream');
      const { broker } = await startNode(testbed);
      await broker.publish(channel, value('k', '1'), { retention: ephemeral });
      expect(await broker.readStream(channel, { retention: ephemeral, limit: -1 })).toEqual({
        publications: [],
      });
    });

    test.each(['no cursor', ':', 'x:key', 'NaN:key', '1e999:k'])(
      'the cursor "%s" is refused, with its reason',
      async (cursor) => {
        await using testbed = await createTestbed();
        const channel = uniqueName('cursor');
        const { broker } = await startNode(testbed);
        await broker.publish(channel, value('k', '1'), { retention: recoverable });
        const read = broker.readState(channel, { retention: recoverable, limit: 1, cursor });
        await expect(read).rejects.toMatchObject({ name: 'ReplyError', code: 107 });
      },
    );

    test('keys may look like anything', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('keys');
      const { broker } = await startNode(testbed);
      const keys = ['', ':', '1:2', 'a b', 'é', '\n', '__proto__', 'constructor', '{x}', '*'];
      const retention = persistent;
      for (const key of keys) await broker.publish(channel, value(key, 'x'), { retention });
      const pages = await readPages(broker, channel, { retention, limit: 1 });
      expect(pages.flat().toSorted()).toEqual(keys.toSorted());
      for (const key of keys) await broker.remove(channel, key, { retention });
      expect(await stateOf(broker, channel, retention)).toEqual([]);
    });

    test('a score that is no number is refused', async () => {
      await using testbed = await createTestbed();
      const { broker } = await startNode(testbed);
      for (const score of [NaN, Infinity]) {
        const published = broker.publish(uniqueName('score'), value('k', '1', score), {
          retention: recoverable,
        });
        await expect(published).rejects.toMatchObject({ name: 'ReplyError', code: 107 });
      }
    });

    test('pages until an offset, and the changes after it, make the state', async () => {
      await using testbed = await createTestbed();
      const { broker } = await startNode(testbed);
      const { broker: reader, events } = await startNode(testbed);
      const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');
      const change = fc.record({
        key,
        score: fc.option(fc.integer({ min: -2, max: 2 }), { nil: undefined }),
        isRemoval: fc.boolean(),
      });
      const scenario = fc.record({
        before: fc.array(change, { maxLength: 12 }),
        between: fc.array(fc.array(change, { maxLength: 3 }), { maxLength: 6 }),
        limit: fc.integer({ min: 1, max: 4 }),
        asc: fc.boolean(),
        retention: fc.constantFrom<MapRetention>(recoverable, persistent),
      });
      let published = 0;
      await fc.assert(
        fc.asyncProperty(scenario, async ({ before, between, limit, asc, retention }) => {
          const channel = uniqueName('frozen');
          await reader.subscribe(channel);
          const apply = async (changes: typeof before): Promise<void> => {
            for (const { key, score, isRemoval } of changes) {
              published += 1;
              await (isRemoval
                ? broker.remove(channel, key, { retention })
                : broker.publish(channel, value(key, `${published}`, score), { retention }));
            }
          };
          await apply(before);

          // As a client does it: pages at the position of the first one, then what changed since.
          const state = new Map<string, MapPublication>();
          const first = await reader.readState(channel, { retention, limit, asc });
          const untilOffset = first.position?.offset ?? 0;
          const pages = [first];
          for (let page = first; page.cursor !== '';) {
            await apply(between[pages.length - 1] ?? []);
            page = await reader.readState(channel, {
              retention,
              limit,
              asc,
              untilOffset,
              cursor: page.cursor,
            });
            pages.push(page);
          }
          for (const { entries } of pages) {
            expect(entries.length).toBeLessThanOrEqual(limit);
            for (const entry of entries) {
              expect(entry.offset).toBeLessThanOrEqual(untilOffset);
              expect(state.has(entry.key)).toBe(false);
              state.set(entry.key, entry);
            }
          }
          const stream = await reader.readStream(channel, {
            retention,
            limit: -1,
            sinceOffset: untilOffset,
          });
          replay(state, stream.publications);
          const { entries, position } = await reader.readState(channel, { retention, limit: -1 });
          expect(position?.epoch).toBe(first.position?.epoch);
          expect([...state.values()].toSorted(byOffset)).toEqual(entries.toSorted(byOffset));

          // As a subscriber from the beginning saw it.
          const seen = new Map<string, MapPublication>();
          const top = position?.offset ?? 0;
          const live = events.publications.filter((event) => event.channel === channel);
          expect(live.map((event) => event.position?.offset)).toEqual(
            Array.from({ length: top }, (_, index) => index + 1),
          );
          replay(
            seen,
            live.map(({ publication }) => publication as MapPublication),
          );
          expect([...seen.values()].toSorted(byOffset)).toEqual(entries.toSorted(byOffset));
        }),
        { numRuns: 60 },
      );
    });
  });
}

function replay(state: Map<string, MapPublication>, changes: readonly MapPublication[]): void {
  for (const change of changes) {
    if (change.removed) state.delete(change.key);
    else state.set(change.key, change);
  }
}

function byOffset(a: MapPublication, b: MapPublication): number {
  return (a.offset ?? 0) - (b.offset ?? 0);
}
