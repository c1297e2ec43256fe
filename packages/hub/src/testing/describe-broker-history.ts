import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Broker, HistoryFilter } from '../ports/broker.ts';
import { kept, startNode, type BrokerTestbed } from './broker-testbed.ts';
import { bytes, text, uniqueName } from './port-testbed.ts';

const { historyMetaTtlMs } = kept;

async function offsets(
  broker: Broker,
  channel: string,
  filter: Partial<HistoryFilter> = {},
): Promise<readonly (number | undefined)[]> {
  const page = await broker.history(channel, { limit: -1, historyMetaTtlMs, ...filter });
  return page.publications.map(({ offset }) => offset);
}

/** Part of `describeBroker`: what is kept, for how long, and how it is read. */
export function describeBrokerHistory(createTestbed: () => Promise<BrokerTestbed>): void {
  describeReading(createTestbed);
  describeLifetime(createTestbed);
}

function describeReading(createTestbed: () => Promise<BrokerTestbed>): void {
  describe('reading history', () => {
    test('from both ends, from any offset, in pages', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('pages');
      const { broker } = await startNode(testbed);
      for (let count = 0; count < 7; count += 1) {
        await broker.publish(channel, {}, { ...kept, historySize: 5 });
      }
      const read = (filter: Partial<HistoryFilter>): Promise<readonly (number | undefined)[]> =>
        offsets(broker, channel, filter);
      expect(await read({})).toEqual([3, 4, 5, 6, 7]);
      expect(await read({ limit: 2 })).toEqual([3, 4]);
      expect(await read({ limit: 0 })).toEqual([]);
      expect(await read({ limit: 100 })).toEqual([3, 4, 5, 6, 7]);
      expect(await read({ sinceOffset: 0 })).toEqual([3, 4, 5, 6, 7]);
      expect(await read({ sinceOffset: 4 })).toEqual([5, 6, 7]);
      expect(await read({ sinceOffset: 4, limit: 2 })).toEqual([5, 6]);
      expect(await read({ sinceOffset: 7 })).toEqual([]);
      expect(await read({ sinceOffset: 1000 })).toEqual([]);
      expect(await read({ reverse: true })).toEqual([7, 6, 5, 4, 3]);
      expect(await read({ reverse: true, limit: 2 })).toEqual([7, 6]);
      expect(await read({ reverse: true, sinceOffset: 6 })).toEqual([5, 4, 3]);
      expect(await read({ reverse: true, sinceOffset: 6, limit: 2 })).toEqual([5, 4]);
      expect(await read({ reverse: true, sinceOffset: 3 })).toEqual([]);
      expect(await read({ reverse: true, sinceOffset: 1 })).toEqual([]);
      expect(await read({ reverse: true, sinceOffset: 1000, limit: 1 })).toEqual([7]);
    });

    test('keeps what each publication was, in the order of offsets', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('content');
      const { broker } = await startNode(testbed);
      const { broker: reader } = await startNode(testbed);
      for (let count = 1; count <= 20; count += 1) {
        await broker.publish(channel, { data: bytes(`${count}`), tags: { t: `${count}` } }, kept);
      }
      for (const reverse of [false, true]) {
        const filter = { limit: -1, historyMetaTtlMs, reverse };
        const { publications, position } = await reader.history(channel, filter);
        expect(publications).toHaveLength(20);
        expect(position.offset).toBe(20);
        for (const { data, tags, offset } of publications) {
          expect([text(data), tags]).toEqual([`${offset}`, { t: `${offset}` }]);
        }
      }
    });

    test('a channel without a stream has an epoch that stays', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('unknown');
      const { broker } = await startNode(testbed);
      const { broker: other } = await startNode(testbed);
      const filter = { limit: -1, historyMetaTtlMs };
      const pages = await Promise.all(
        [broker, other, broker].map((reader) => reader.history(channel, filter)),
      );
      const [epoch, ...others] = new Set(pages.map(({ position }) => position.epoch));
      expect(epoch).toMatch(/./);
      expect(others).toEqual([]);
      for (const page of pages) {
        expect(page).toEqual({ publications: [], position: { offset: 0, epoch } });
      }
      expect(await other.history(channel, { ...filter, reverse: true, limit: 5 })).toEqual(
        pages[0],
      );
      const { position } = await broker.publish(channel, {}, kept);
      expect(position).toEqual({ offset: 1, epoch });
    });

    test('equals an array, whatever is published, removed and read', async () => {
      await using testbed = await createTestbed();
      const { broker } = await startNode(testbed);
      type Step = (channel: string, model: number[], top: number) => Promise<number>;
      const publish = fc.integer({ min: 1, max: 6 }).map((historySize): Step => {
        return async (channel, model, top) => {
          await broker.publish(channel, {}, { ...kept, historySize });
          model.push(top + 1);
          model.splice(0, model.length - historySize);
          return top + 1;
        };
      });
      const remove = fc.constant<Step>(async (channel, model, top) => {
        await broker.removeHistory(channel);
        model.length = 0;
        return top;
      });
      const filters = fc.record({
        sinceOffset: fc.nat(20),
        limit: fc.integer({ min: -1, max: 8 }),
        reverse: fc.boolean(),
      });
      const steps = fc.array(
        fc.oneof({ weight: 8, arbitrary: publish }, { weight: 1, arbitrary: remove }),
        { maxLength: 15 },
      );
      await fc.assert(
        fc.asyncProperty(steps, filters, async (steps, { sinceOffset, limit, reverse }) => {
          const channel = uniqueName('model');
          const model: number[] = [];
          let top = 0;
          for (const step of steps) top = await step(channel, model, top);
          const expected = reverse
            ? model.filter((offset) => offset < sinceOffset).toReversed()
            : model.filter((offset) => offset > sinceOffset);
          const filter = { sinceOffset, limit, reverse, historyMetaTtlMs };
          const { publications, position } = await broker.history(channel, filter);
          expect(publications.map(({ offset }) => offset)).toEqual(
            limit < 0 ? expected : expected.slice(0, limit),
          );
          expect(position.offset).toBe(top);
        }),
        { numRuns: 60 },
      );
    });
  });
}

function describeLifetime(createTestbed: () => Promise<BrokerTestbed>): void {
  describe('lifetime of history', () => {
    test('publications expire together; each publish gives them all more time', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('ttl');
      const { broker, events } = await startNode(testbed, channel);
      const options = { ...kept, historyTtlMs: 1000, withPrevious: true };
      const { position } = await broker.publish(channel, { data: bytes('1') }, options);
      await testbed.advance(600);
      await broker.publish(channel, { data: bytes('2') }, options);
      await testbed.advance(600);
      expect(await offsets(broker, channel)).toEqual([1, 2]);
      await testbed.advance(500);
      const expired = await broker.history(channel, { limit: -1, historyMetaTtlMs });
      expect(expired).toEqual({ publications: [], position: { ...position, offset: 2 } });
      await broker.publish(channel, { data: bytes('3') }, options);
      expect(await offsets(broker, channel)).toEqual([3]);
      await events.arrived(channel, '3');
      expect(events.publications.map(({ previous }) => previous?.offset)).toEqual([
        undefined,
        1,
        undefined,
      ]);
    });

    test('epoch and top offset outlive the publications, then the channel starts over', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('meta-ttl');
      const { broker } = await startNode(testbed);
      const options = { ...kept, historyTtlMs: 500, historyMetaTtlMs: 2000 };
      const filter = { limit: -1, historyMetaTtlMs: 2000 };
      const { position } = await broker.publish(channel, {}, options);
      await testbed.advance(1200);
      expect(await broker.history(channel, filter)).toEqual({ publications: [], position });
      // The read gave it two seconds more.
      await testbed.advance(1200);
      expect((await broker.history(channel, filter)).position).toEqual(position);
      await testbed.advance(2100);
      const anew = await broker.publish(channel, {}, options);
      expect(anew.position?.offset).toBe(1);
      expect(anew.position?.epoch).not.toBe(position?.epoch);
      expect(await offsets(broker, channel)).toEqual([1]);
    });

    test('publications keep their epoch when its own time would be shorter', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('short-meta');
      const { broker } = await startNode(testbed);
      const options = { ...kept, historyTtlMs: 3000, historyMetaTtlMs: 500 };
      const { position } = await broker.publish(channel, {}, options);
      await testbed.advance(1000);
      expect(await broker.publish(channel, {}, options)).toEqual({
        position: { ...position, offset: 2 },
      });
      expect(await offsets(broker, channel, { historyMetaTtlMs: 500 })).toEqual([1, 2]);
    });

    test('removing keeps epoch and top offset', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('removed');
      const { broker } = await startNode(testbed);
      const { broker: other } = await startNode(testbed);
      for (let count = 0; count < 3; count += 1) await broker.publish(channel, {}, kept);
      const { position } = await broker.history(channel, { limit: 0, historyMetaTtlMs });
      await other.removeHistory(channel);
      expect(await offsets(broker, channel)).toEqual([]);
      expect(await offsets(broker, channel, { reverse: true, limit: 2 })).toEqual([]);
      const next = await broker.publish(channel, {}, kept);
      expect(next.position).toEqual({ offset: 4, epoch: position.epoch });
      expect(await offsets(other, channel)).toEqual([4]);
      await other.removeHistory(uniqueName('never-published'));
    });

    test('a smaller size drops the oldest at the next publish', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('size');
      const { broker } = await startNode(testbed);
      for (const historySize of [10, 10, 10, 10, 2]) {
        await broker.publish(channel, {}, { ...kept, historySize });
      }
      expect(await offsets(broker, channel)).toEqual([4, 5]);
      await broker.publish(channel, {}, { ...kept, historySize: 0 });
      expect(await offsets(broker, channel)).toEqual([4, 5]);
    });
  });
}
