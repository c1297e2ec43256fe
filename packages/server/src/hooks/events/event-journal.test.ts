import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Logger, systemClock } from '@holdfast/hub';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { EventJournal, type EventJournalOptions } from './event-journal.ts';

class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await mkdtemp(path.join(tmpdir(), 'holdfast-journal-')));
  }

  get segments(): readonly string[] {
    return readdirSync(this.path)
      .filter((name) => name.endsWith('.log'))
      .toSorted()
      .map((name) => path.join(this.path, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

interface Harness extends AsyncDisposable {
  readonly journal: EventJournal;
  readonly lines: readonly string[];
}

async function openJournal(
  folder: Folder,
  options: Partial<EventJournalOptions> = {},
): Promise<Harness> {
  const lines: string[] = [];
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (_fields, message) => lines.push(message),
  };
  const journal = await EventJournal.open({
    folder: folder.path,
    maxBytes: 10_000_000,
    syncIntervalMs: 1_000,
    clock: systemClock,
    logger,
    ...options,
  });
  return { journal, lines, [Symbol.asyncDispose]: () => journal.close() };
}

const limits = { maxRecords: 10, maxBytes: 1_000_000 };

/** Appends the numbers `from`…`to`, padded to `size` bytes, and waits until they are on disk. */
async function fill(
  journal: EventJournal,
  [from, to]: readonly [number, number],
  size = 0,
): Promise<void> {
  for (let value = from; value <= to; value++) {
    journal.append(() => Buffer.from(`${value}`.padEnd(size)));
  }
  await written(journal);
}

/** Until everything appended is on disk; the test's timeout is the deadline. */
async function written(journal: EventJournal): Promise<void> {
  while (journal.unwrittenEvents > 0) await setImmediate();
}

interface Drained {
  readonly values: readonly number[];
  readonly lost: number;
}

/** Reads and acknowledges everything that is there. */
async function drain(journal: EventJournal, batch = limits): Promise<Drained> {
  const values: number[] = [];
  let lost = 0;
  for (;;) {
    const read = await journal.read(batch);
    if (read === undefined) return { values, lost };
    lost += read.lost;
    values.push(...read.records.map(({ payload }) => Number(payload.toString())));
    await journal.acknowledge();
  }
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

describe('journal', () => {
  test('gives back what was appended, in order, until it is acknowledged', async () => {
    await using folder = await Folder.make();
    await using harness = await openJournal(folder);
    const { journal } = harness;
    expect(await journal.read(limits)).toBeUndefined();
    await fill(journal, [1, 25]);
    expect(journal.backlog).toBe(25);
    const first = await journal.read(limits);
    expect(first).toMatchObject({ lost: 0, isFull: true });
    expect(first?.records.map(({ sequence }) => sequence)).toEqual(range(1, 10));
    expect(await journal.read(limits)).toEqual(first);
    await journal.acknowledge();
    expect(journal.backlog).toBe(15);
    expect(await drain(journal)).toEqual({ values: range(11, 25), lost: 0 });
    expect(journal.backlog).toBe(0);
    await fill(journal, [26, 27]);
    expect(await drain(journal)).toEqual({ values: [26, 27], lost: 0 });
  });

  test('a batch is limited by bytes too; a long event travels alone', async () => {
    await using folder = await Folder.make();
    await using harness = await openJournal(folder);
    const { journal } = harness;
    const sizes = [300, 300, 300, 5_000, 400_000, 300];
    for (const size of sizes) journal.append(() => Buffer.alloc(size, ' '));
    await written(journal);
    const batches: number[][] = [];
    for (;;) {
      const batch = await journal.read({ maxRecords: 10, maxBytes: 1_000 });
      if (batch === undefined) break;
      batches.push(batch.records.map(({ payload }) => payload.length));
      await journal.acknowledge();
    }
    expect(batches).toEqual([[300, 300, 300], [5_000], [400_000], [300]]);
  });

  test('goes on where it was, after a close and after a kill', async () => {
    await using folder = await Folder.make();
    const closed = await openJournal(folder);
    await fill(closed.journal, [1, 15]);
    await closed.journal.read(limits);
    await closed.journal.acknowledge();
    await closed.journal.close();

    // Never closed: what a killed process leaves behind.
    const killed = await openJournal(folder);
    await fill(killed.journal, [16, 30]);
    await killed.journal.read(limits);
    await killed.journal.acknowledge();
    await killed.journal.read(limits);

    await using harness = await openJournal(folder);
    await fill(harness.journal, [31, 32]);
    const { values, lost } = await drain(harness.journal);
    expect(lost).toBe(0);
    // Acknowledged shortly before the kill: may come again, nothing may be missing.
    expect(values.slice(-12)).toEqual(range(21, 32));
    expect(values).toEqual(range(33 - values.length, 32));
    await killed.journal.close();
  });

  test('wherever a crash cut the last write, all before it and all after it is there', async () => {
    await using folder = await Folder.make();
    const harness = await openJournal(folder);
    await fill(harness.journal, [1, 3], 20);
    await harness.journal.close();
    const [file = ''] = folder.segments;
    const whole = readFileSync(file);
    const recordBytes = whole.length / 3;
    for (let size = whole.length; size >= 0; size -= 7) {
      writeFileSync(file, whole);
      truncateSync(file, size);
      const after = await openJournal(folder);
      const survivors = Math.floor(size / recordBytes);
      await fill(after.journal, [100, 101]);
      expect(await drain(after.journal)).toEqual({
        values: [...range(1, survivors), 100, 101],
        lost: 0,
      });
      await after.journal.close();
      for (const segment of folder.segments) await rm(segment);
      await rm(path.join(folder.path, 'cursor'));
    }
  });

  test('noise behind the last record is not read', async () => {
    await using folder = await Folder.make();
    const harness = await openJournal(folder);
    await fill(harness.journal, [1, 3]);
    await harness.journal.close();
    appendFileSync(folder.segments[0] ?? '', Buffer.alloc(100, 0xff));
    await using after = await openJournal(folder);
    await fill(after.journal, [4, 5]);
    expect(await drain(after.journal)).toEqual({ values: range(1, 5), lost: 0 });
    expect(after.lines).toEqual([]);
  });

  test('damage in the middle costs what follows in that file, and is told', async () => {
    await using folder = await Folder.make();
    const harness = await openJournal(folder, { maxBytes: 8_000 });
    for (let value = 1; value <= 60; value++) await fill(harness.journal, [value, value], 100);
    await harness.journal.close();
    const segments = folder.segments;
    expect(segments.length).toBeGreaterThan(3);
    const damaged = segments[1] ?? '';
    const bytes = readFileSync(damaged);
    bytes[150] = (bytes[150] ?? 0) ^ 1;
    writeFileSync(damaged, bytes);
    await using after = await openJournal(folder, { maxBytes: 8_000 });
    const { values, lost } = await drain(after.journal);
    expect(lost).toBeGreaterThan(0);
    expect(lost + values.length).toBe(60);
    expect(after.journal.lostEvents).toBe(lost);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(after.lines).toEqual([expect.stringContaining('events are lost (damaged)')]);
  });

  test('is bounded on disk: the oldest are given up, counted and told', async () => {
    await using folder = await Folder.make();
    await using harness = await openJournal(folder, { maxBytes: 16_000 });
    const { journal } = harness;
    for (let value = 1; value <= 500; value += 10) await fill(journal, [value, value + 9], 100);
    await vi.waitFor(() => expect(journal.diskBytes).toBeLessThanOrEqual(16_000));
    const { values, lost } = await drain(journal);
    expect(lost).toBeGreaterThan(0);
    expect(values).toEqual(range(lost + 1, 500));
    expect(journal.lostEvents).toBe(lost);
    expect(harness.lines[0]).toContain('the journal is full');
    expect(folder.segments.length).toBeLessThanOrEqual(2);
  });

  test('is bounded in memory: what the disk does not take in time is given up and told', async () => {
    await using folder = await Folder.make();
    await using harness = await openJournal(folder, { maxPendingBytes: 1_000 });
    const { journal } = harness;
    for (let value = 1; value <= 100; value++) {
      journal.append(() => Buffer.from(String(value).padEnd(100)));
    }
    await written(journal);
    await fill(journal, [101, 103]);
    const { values, lost } = await drain(journal);
    expect(lost).toBe(journal.lostEvents);
    expect(values.length + lost).toBe(103);
    expect(values.slice(-3)).toEqual([101, 102, 103]);
  });

  test('an event beyond all measure is not written', async () => {
    await using folder = await Folder.make();
    await using harness = await openJournal(folder);
    harness.journal.append(() => Buffer.alloc(1_048_577));
    await fill(harness.journal, [2, 2]);
    expect(await drain(harness.journal)).toEqual({ values: [2], lost: 1 });
  });

  test('a disk that refuses for a while costs nothing', async () => {
    await using folder = await Folder.make();
    await using harness = await openJournal(folder, { syncIntervalMs: 0 });
    const { journal } = harness;
    await rm(folder.path, { recursive: true });
    journal.append(() => Buffer.from('1'));
    await vi.waitFor(() => expect(journal.trouble).toContain('events cannot be written to disk'));
    journal.append(() => Buffer.from('2'));
    await mkdir(folder.path);
    await written(journal);
    expect(journal.trouble).toBeUndefined();
    expect(await drain(journal)).toEqual({ values: [1, 2], lost: 0 });
  });

  test('files that are acknowledged go away', async () => {
    await using folder = await Folder.make();
    await using harness = await openJournal(folder, { maxBytes: 80_000 });
    for (let value = 1; value <= 500; value += 10)
      await fill(harness.journal, [value, value + 9], 100);
    expect(folder.segments.length).toBeGreaterThan(4);
    await drain(harness.journal);
    expect(folder.segments.length).toBe(1);
    expect(harness.journal.lostEvents).toBe(0);
  });

  test('whatever happens: everything at least once, in order, nothing twice within one process', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('append'), count: fc.nat(30) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('deliver'), count: fc.nat(4) }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom('close', 'kill'), count: fc.nat() }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await using folder = await Folder.make();
        const abandoned: EventJournal[] = [];
        // Small segments, so that files begin and end all the time; large enough to lose nothing.
        const open = () => openJournal(folder, { maxBytes: 1_000_000, syncIntervalMs: 60_000 });
        let { journal } = await open();
        let appended = 0;
        const seen: number[] = [];
        const problems: string[] = [];
        const deliver = async (): Promise<boolean> => {
          const batch = await journal.read({ maxRecords: 7, maxBytes: 10_000 });
          for (const { payload } of batch?.records ?? []) seen.push(Number(payload.toString()));
          if ((batch?.lost ?? 0) > 0) problems.push(`lost ${batch?.lost}`);
          if (batch !== undefined) await journal.acknowledge();
          return batch !== undefined;
        };
        for (const { do: what, count } of steps) {
          if (what === 'append') {
            await fill(journal, [appended + 1, appended + count], count % 3 === 0 ? 2_000 : 0);
            appended += count;
          } else if (what === 'deliver') {
            for (let i = 0; i < count; i++) await deliver();
          } else {
            if (what === 'close') await journal.close();
            else abandoned.push(journal);
            ({ journal } = await open());
            const last = seen.at(-1) ?? 0;
            const again = await journal.read({ maxRecords: 1, maxBytes: 1 });
            const next = Number(again?.records[0]?.payload.toString() ?? appended + 1);
            if (next > last + 1) problems.push(`after ${last} came ${next}`);
            seen.splice(next - 1);
          }
        }
        while (await deliver());
        expect(problems).toEqual([]);
        expect(seen).toEqual(range(1, appended));
        await journal.close();
        for (const other of abandoned) await other.close();
      }),
      { numRuns: 30 },
    );
  });
});
