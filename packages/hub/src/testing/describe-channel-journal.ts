import { describe, expect, test } from 'vitest';
import type {
  ChannelChange,
  ChannelJournal,
  ChannelRecord,
  JournaledStream,
} from '../ports/channel-journal.ts';
import { bytes, clientInfo, type PortTestbed } from './port-testbed.ts';

/** A journal's testbed: `addNode` is what the next process would use, not opened. */
export interface JournalTestbed extends PortTestbed<ChannelJournal> {
  /** Unix milliseconds, as the journals see it. */
  now(): number;
}

const retention = { streamSize: 10, streamTtlMs: 1000, keyTtlMs: 0, metaTtlMs: 5000 };
const never = new AbortController().signal;

function nothing(channel: string): ChannelRecord {
  return { channel, publications: [], entries: [], results: [] };
}

/** A change that adds to what there is. */
function change(channel: string, more: Partial<ChannelChange>): ChannelChange {
  const { stream } = more;
  return {
    ...nothing(channel),
    startsOver: false,
    removedKeys: [],
    ...(stream && { keepUntil: stream.forgetAt }),
    ...more,
  };
}

function publications(from: number, to: number): ChannelRecord['publications'] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    offset: from + index,
    data: bytes(`data ${from + index}`),
  }));
}

async function opened(testbed: JournalTestbed): Promise<ChannelJournal> {
  const journal = await testbed.addNode();
  await journal.open();
  return journal;
}

async function takeSnapshot(journal: ChannelJournal): Promise<readonly ChannelRecord[]> {
  const records: ChannelRecord[] = [];
  for await (const record of journal.takeSnapshot()) records.push(record);
  return records;
}

async function namesOf(journal: ChannelJournal): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const page of journal.channels()) names.push(...page);
  return names;
}

/**
 * The contract of {@link ChannelJournal} as tests: every implementation passes it unchanged.
 * @param createTestbed is called once per test
 */
export function describeChannelJournal(
  name: string,
  createTestbed: () => Promise<JournalTestbed>,
): void {
  const streamFor = (testbed: JournalTestbed, top: number, oldest: number): JournaledStream => ({
    epoch: 'epoch',
    top,
    oldest,
    version: 0,
    versionEpoch: '',
    expireAt: testbed.now() + 60_000,
    forgetAt: testbed.now() + 600_000,
  });

  describe(`${name} as a channel journal`, () => {
    describe('kept channels', () => {
      test('come back whole, whatever is in them', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        const stream = { ...streamFor(testbed, 3, 2), version: 7, versionEpoch: 'ünï' };
        const records: ChannelRecord[] = [
          {
            ...nothing('plain:stream'),
            stream,
            publications: [
              {
                offset: 2,
                data: Uint8Array.from({ length: 256 }, (_, index) => index),
                info: { ...clientInfo('c1', 'ünï'), chan_info: new Uint8Array([0, 255]) },
                tags: { empty: '', quote: '"\n\0', ключ: '値' },
                time: 1_700_000_000_123,
                version: 7,
              },
              { offset: 3 },
            ],
            results: [
              {
                idempotencyKey: '',
                position: { offset: 2, epoch: 'epoch' },
                expireAt: stream.expireAt,
              },
              { idempotencyKey: 'a\0\ud800b', expireAt: stream.expireAt },
            ],
          },
          {
            ...nothing('map\0"{}\ud800'),
            retention,
            stream: { ...stream, top: 1, oldest: 1 },
            publications: [{ offset: 1, key: 'k', removed: true, tags: { a: 'b' } }],
            entries: [
              {
                publication: { key: 'k\0\ud800', data: bytes(''), score: -0.5, offset: 1 },
                version: 3,
                versionEpoch: 'v',
                isIncremental: true,
                expireAt: stream.expireAt,
              },
              {
                publication: { key: '', data: bytes('{}') },
                version: 0,
                versionEpoch: '',
                isIncremental: false,
              },
            ],
          },
          {
            ...nothing('ephemeral map'),
            retention: { ...retention, streamSize: 0 },
            entries: [
              {
                publication: { key: 'k', data: bytes('v') },
                version: 0,
                versionEpoch: '',
                isIncremental: false,
                expireAt: stream.expireAt,
              },
            ],
          },
        ];
        await journal.commit(
          records.map((record) => ({ ...record, startsOver: true, removedKeys: [] })),
        );
        await journal.close();
        const next = await opened(testbed);
        const loaded = await next.load(['not there', ...records.map(({ channel }) => channel)]);
        expect(loaded).toHaveLength(3);
        for (const record of records) {
          const found = loaded.find(({ channel }) => channel === record.channel);
          expect(found).toEqual({
            ...record,
            entries: expect.arrayContaining([...record.entries]) as unknown,
            results: expect.arrayContaining([...record.results]) as unknown,
          });
          expect(found?.entries).toHaveLength(record.entries.length);
        }
        const names = await namesOf(next);
        expect(names.toSorted()).toEqual(records.map(({ channel }) => channel).toSorted());
        expect(await takeSnapshot(next)).toEqual([]);
      });

      test('grow, lose their oldest publications, and begin again', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        const result = { idempotencyKey: 'k', expireAt: testbed.now() + 60_000 };
        await journal.commit([
          change('x', {
            startsOver: true,
            stream: streamFor(testbed, 100, 1),
            publications: publications(1, 100),
            results: [result],
          }),
          change('other', { startsOver: true, stream: streamFor(testbed, 0, 1) }),
        ]);
        await journal.commit([
          change('x', { stream: streamFor(testbed, 101, 2), publications: publications(101, 101) }),
        ]);
        expect(await journal.load(['x'])).toEqual([
          {
            ...nothing('x'),
            stream: streamFor(testbed, 101, 2),
            publications: publications(2, 101),
            results: [result],
          },
        ]);
        for (let top = 102; top < 300; top += 3) {
          const more = publications(top, top + 2);
          await journal.commit([
            change('x', { stream: streamFor(testbed, top + 2, top + 1), publications: more }),
          ]);
          const [record] = await journal.load(['x']);
          expect(record?.publications).toEqual(more.slice(1));
        }
        await journal.commit([change('x', { stream: streamFor(testbed, 299, 300) })]);
        expect((await journal.load(['x']))[0]?.publications).toEqual([]);
        const begun = { ...streamFor(testbed, 1, 1), epoch: 'another' };
        await journal.commit([
          change('x', { startsOver: true, stream: begun, publications: publications(1, 1) }),
        ]);
        expect(await journal.load(['x', 'other'])).toEqual(
          expect.arrayContaining([
            { ...nothing('x'), stream: begun, publications: publications(1, 1), results: [result] },
            { ...nothing('other'), stream: streamFor(testbed, 0, 1) },
          ]),
        );
      });

      test('have keys that are written, replaced and removed', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        const entry = (key: string, data: string): ChannelRecord['entries'][number] => ({
          publication: { key, data: bytes(data) },
          version: 0,
          versionEpoch: '',
          isIncremental: false,
        });
        const valuesOf = async (): Promise<unknown> => {
          const [record] = await journal.load(['map']);
          return record?.entries
            .map(({ publication: { key, data } }) => `${key}=${new TextDecoder().decode(data)}`)
            .toSorted();
        };
        const write = (more: Partial<ChannelChange>): Promise<void> =>
          journal.commit([change('map', { retention, ...more })]);
        await write({ startsOver: true, entries: [entry('a', '1'), entry('b', '1')] });
        await write({ entries: [entry('b', '2'), entry('c', '2')], removedKeys: ['a', 'never'] });
        expect(await valuesOf()).toEqual(['b=2', 'c=2']);
        await write({ startsOver: true, entries: [entry('d', '3')] });
        expect(await valuesOf()).toEqual(['d=3']);
        await write({ removedKeys: ['d'], keepUntil: 0 });
        expect(await valuesOf()).toEqual([]);
      });

      test('are loaded without what has expired', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        const stream = {
          ...streamFor(testbed, 1, 1),
          expireAt: testbed.now() + 1000,
          forgetAt: testbed.now() + 3000,
        };
        const position = { offset: 1, epoch: 'epoch' };
        await journal.commit([
          change('x', {
            startsOver: true,
            stream,
            publications: publications(1, 1),
            results: [
              { idempotencyKey: 'short', position, expireAt: testbed.now() + 1000 },
              { idempotencyKey: 'long', position, expireAt: testbed.now() + 60_000 },
            ],
          }),
        ]);
        await testbed.advance(1500);
        const [record] = await journal.load(['x']);
        expect(record).toMatchObject({ stream, publications: [] });
        expect(record?.results.map(({ idempotencyKey }) => idempotencyKey)).toEqual(['long']);
        await testbed.advance(2000);
        const [forgotten] = await journal.load(['x']);
        expect(forgotten?.stream).toBeUndefined();
        expect(forgotten?.results).toHaveLength(1);
      });

      test('are written by the one who opened the journal last, and by nobody else', async () => {
        await using testbed = await createTestbed();
        const first = await opened(testbed);
        const begun = change('x', { startsOver: true, stream: streamFor(testbed, 0, 1) });
        await first.commit([begun]);
        const second = await opened(testbed);
        const more = change('x', {
          stream: streamFor(testbed, 1, 1),
          publications: publications(1, 1),
        });
        await expect(first.commit([more])).rejects.toThrow('has taken the journal over');
        await expect(first.saveSnapshot([nothing('y')], never)).rejects.toThrow(
          'has taken the journal over',
        );
        expect(await second.load(['x'])).toEqual([
          { ...nothing('x'), stream: streamFor(testbed, 0, 1) },
        ]);
        await second.commit([more]);
        await second.close();
        await first.close();
      });

      test('may be many, and large', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        const names = Array.from({ length: 2500 }, (_, index) => `channel${index}`);
        await journal.commit(
          names.map((channel) =>
            change(channel, {
              startsOver: true,
              stream: streamFor(testbed, 1, 1),
              publications: publications(1, 1),
            }),
          ),
        );
        const large = change('large', {
          startsOver: true,
          stream: streamFor(testbed, 3000, 1),
          retention,
          publications: publications(1, 3000),
          entries: Array.from({ length: 1000 }, (_, index) => ({
            publication: { key: `key${index}`, data: bytes('x'.repeat(100)) },
            version: 0,
            versionEpoch: '',
            isIncremental: false,
          })),
        });
        await journal.commit([large]);
        expect((await namesOf(journal)).toSorted()).toEqual([...names, 'large'].toSorted());
        const loaded = await journal.load([...names, 'large']);
        expect(loaded).toHaveLength(2501);
        const found = loaded.find(({ channel }) => channel === 'large');
        expect(found?.publications).toEqual(large.publications);
        expect(found?.entries).toHaveLength(1000);
      });
    });

    describe('the snapshot', () => {
      test('comes back whole and once', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        const kept = change('kept', { startsOver: true, stream: streamFor(testbed, 0, 1) });
        await journal.commit([kept]);
        const records: ChannelRecord[] = Array.from({ length: 80 }, (_, index) => ({
          ...nothing(`channel${index}`),
          stream: streamFor(testbed, index, 1),
          publications: publications(1, index),
          results: [{ idempotencyKey: `k${index}`, expireAt: testbed.now() + 60_000 }],
        }));
        expect(await journal.saveSnapshot(records, never)).toBe(80);
        await journal.close();
        const next = await opened(testbed);
        const taken = await takeSnapshot(next);
        expect(taken).toHaveLength(80);
        expect(taken).toEqual(expect.arrayContaining(records));
        expect(await takeSnapshot(next)).toEqual([]);
        await next.close();
        const third = await opened(testbed);
        expect(await takeSnapshot(third)).toEqual([]);
        expect(await namesOf(third)).toEqual(['kept']);
      });

      test('is still there when reading it did not come to its end', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        await journal.saveSnapshot([nothing('a'), nothing('b')], never);
        for await (const record of journal.takeSnapshot()) {
          expect(['a', 'b']).toContain(record.channel);
          break;
        }
        const next = await opened(testbed);
        expect((await takeSnapshot(next)).map(({ channel }) => channel).toSorted()).toEqual([
          'a',
          'b',
        ]);
      });

      test('takes the place of the one before', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        await journal.saveSnapshot([nothing('a'), nothing('b')], never);
        await journal.saveSnapshot([nothing('b'), nothing('c')], never);
        const taken = await takeSnapshot(journal);
        expect(taken.map(({ channel }) => channel).toSorted()).toEqual(['b', 'c']);
      });

      test('does not count when it was not finished', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        await journal.saveSnapshot([nothing('old')], never);
        const broken = function* (): Generator<ChannelRecord, void, undefined> {
          for (let index = 0; index < 5000; index += 1) yield nothing(`channel${index}`);
          throw new Error('the process died');
        };
        await expect(journal.saveSnapshot(broken(), never)).rejects.toThrow('the process died');
        const next = await opened(testbed);
        expect(await takeSnapshot(next)).toEqual([]);
        await next.saveSnapshot([nothing('new')], never);
        expect((await takeSnapshot(next)).map(({ channel }) => channel)).toEqual(['new']);
      });

      test('ends where there is no more time', async () => {
        await using testbed = await createTestbed();
        const journal = await opened(testbed);
        const ending = new AbortController();
        const endless = function* (): Generator<ChannelRecord, void, undefined> {
          for (let index = 0; ; index += 1) {
            if (index === 100) ending.abort();
            yield nothing(`channel${index}`);
          }
        };
        const written = await journal.saveSnapshot(endless(), ending.signal);
        expect(written).toBeGreaterThanOrEqual(100);
        expect(await takeSnapshot(journal)).toHaveLength(written);
      });
    });
  });
}
