import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryBroker } from './memory/memory-broker.ts';
import { MemoryExchange } from './memory/memory-exchange.ts';
import { wirePublication } from './message-encoder.ts';
import type { Broker, HistoryPage, Position } from './ports/broker.ts';
import { recoverStream } from './recovery.ts';
import { sharedRanges, type StreamEntry, StreamReader } from './stream-reader.ts';
import { ManualClock } from './testing/manual-clock.ts';

const historyMetaTtlMs = 60_000;

/** A broker whose stream `news` has had `published` publications and keeps the last `kept`. */
async function brokerWith(published: number, kept: number): Promise<MemoryBroker> {
  const clock = new ManualClock();
  const exchange = new MemoryExchange({ clock, randomEpoch: () => 'e1' });
  const broker = new MemoryBroker({ clock, exchange });
  for (let number = 1; number <= published; number += 1) {
    const data = new TextEncoder().encode(String(number));
    await broker.publish(
      'news',
      { data },
      { historySize: kept, historyTtlMs: 60_000, historyMetaTtlMs },
    );
  }
  return broker;
}

function readerOf(broker: Broker, recoveryLimit: number) {
  const metrics = { streamReads: 0, streamQuestions: 0 };
  return { metrics, reader: new StreamReader({ broker, recoveryLimit, metrics }) };
}

const position = fc.record({
  offset: fc.oneof(fc.nat(60), fc.constant(Number.MAX_SAFE_INTEGER)),
  epoch: fc.constantFrom('e1', 'e1', 'e1', '', 'gone', '_'),
});

test('everybody gets what a read of their own would have brought', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        published: fc.nat(60),
        kept: fc.integer({ min: 1, max: 60 }),
        limit: fc.nat(12),
        asked: fc.array(fc.option(position, { nil: undefined }), { minLength: 1, maxLength: 12 }),
      }),
      async ({ published, kept, limit, asked }) => {
        const broker = await brokerWith(published, kept);
        const { reader } = readerOf(broker, limit);
        const entries = await Promise.all(
          asked.map((since) =>
            reader.enter('news', { historyMetaTtlMs, ...(since === undefined ? {} : { since }) }),
          ),
        );
        for (const [index, since] of asked.entries()) {
          expect(entries[index]).toEqual(await entryOnItsOwn(broker, since, limit));
        }
      },
    ),
  );
});

async function entryOnItsOwn(broker: Broker, since: Position | undefined, limit: number) {
  if (since === undefined) {
    return { top: (await broker.history('news', { limit: 0, historyMetaTtlMs })).position };
  }
  const page = await broker.history('news', {
    sinceOffset: since.offset,
    limit: limit || -1,
    historyMetaTtlMs,
  });
  const { recovered, publications } = recoverStream(since, page);
  return {
    top: page.position,
    recovery: { recovered, publications: publications.map(wirePublication) },
  };
}

test('a read is never longer than twice the limit, and there are no more than askers', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1_000), { maxLength: 40 }),
      fc.integer({ min: 1, max: 300 }),
      (offsets, limit) => {
        const ranges = new Set(sharedRanges(offsets, limit).values());
        expect(ranges.size).toBeLessThanOrEqual(new Set(offsets).size);
        for (const range of ranges) expect(range.limit).toBeLessThanOrEqual(2 * limit);
      },
    ),
  );
});

test('ten thousand that come together are one read, and share what they get', async () => {
  const broker = await brokerWith(50, 100);
  const { reader, metrics } = readerOf(broker, 300);
  const entries = await Promise.all(
    Array.from({ length: 10_000 }, () =>
      reader.enter('news', { since: { offset: 0, epoch: 'e1' }, historyMetaTtlMs }),
    ),
  );
  expect(metrics).toEqual({ streamReads: 1, streamQuestions: 10_000 });
  expect(new Set(entries).size).toBe(1);
  expect(entries[0]?.recovery?.publications).toHaveLength(50);
});

test('those that want the latest of a cache share it too', async () => {
  const broker = await brokerWith(5, 5);
  const { reader, metrics } = readerOf(broker, 300);
  const ask = (limit: number) => reader.latest('news', { limit, historyMetaTtlMs });
  const [one, all, other] = await Promise.all([ask(1), ask(-1), ask(1)]);
  expect([one.publications.length, all.publications.length]).toEqual([1, 5]);
  expect(one.publications[0]?.offset).toBe(5);
  expect(other).toBe(one);
  expect(metrics).toEqual({ streamReads: 2, streamQuestions: 3 });
});

/** Reads look at the stream at some moment between their begin and their end, as real ones do. */
class SlowBroker {
  top = 0;
  readonly looking: ((page: HistoryPage) => void)[] = [];
  readonly done: (() => void)[] = [];

  history(): Promise<HistoryPage> {
    return new Promise((resolve) => {
      this.looking.push((page) => this.done.push(() => resolve(page)));
    });
  }

  look(): void {
    const publications = Array.from({ length: this.top }, (_, index) => ({ offset: index + 1 }));
    this.looking.shift()?.({ publications, position: { offset: this.top, epoch: 'e1' } });
  }
}

test('whatever was published before someone asked is in the answer (P2)', async () => {
  const step = fc.constantFrom('publish', 'ask', 'end of tick', 'look', 'finish');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const broker = new SlowBroker();
      const deferred: (() => void)[] = [];
      const reader = new StreamReader({
        broker: broker as unknown as Broker,
        recoveryLimit: 0,
        metrics: { streamReads: 0, streamQuestions: 0 },
        defer: (work) => deferred.push(work),
        rest: (work) => deferred.push(work),
      });
      const perform = async (action: string): Promise<void> => {
        if (action === 'publish') broker.top += 1;
        else if (action === 'look') broker.look();
        else if (action === 'finish') broker.done.shift()?.();
        else for (const work of deferred.splice(0)) work();
        await new Promise((resolve) => setImmediate(resolve));
      };
      const answers: { topWhenAsked: number; entry: Promise<StreamEntry> }[] = [];
      for (const action of steps) {
        if (action !== 'ask') {
          await perform(action);
          continue;
        }
        // From here on its subscription holds what is published.
        const topWhenAsked = broker.top;
        const since = { offset: 0, epoch: 'e1' };
        answers.push({ topWhenAsked, entry: reader.enter('news', { since, historyMetaTtlMs }) });
      }
      for (let turn = 0; turn < 2 * answers.length + 2; turn += 1) {
        for (const action of ['end of tick', 'look', 'finish']) await perform(action);
      }
      for (const { topWhenAsked, entry } of answers) {
        const { top, recovery } = await entry;
        expect(top.offset).toBeGreaterThanOrEqual(topWhenAsked);
        expect(recovery?.publications.map(({ offset }) => offset)).toEqual(
          Array.from({ length: top.offset }, (_, index) => index + 1),
        );
      }
    }),
  );
});
