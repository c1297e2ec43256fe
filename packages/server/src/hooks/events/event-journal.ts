import path from 'node:path';
import type { Clock, Logger } from '@holdfast/hub';
import { delay } from '@holdfast/store';
import { FailureLog } from '../failure-log.ts';
import { JournalCursor } from './journal-cursor.ts';
import { type BatchLimits, type JournalBatch, JournalReader } from './journal-reader.ts';
import { maxRecordBytes } from './journal-record.ts';
import { JournalSegments, lastSequenceOf } from './journal-segments.ts';
import { JournalWriter } from './journal-writer.ts';

export interface EventJournalOptions {
  /** Belongs to the journal alone; made when it is missing. */
  readonly folder: string;
  /** Beyond this the oldest events are given up. */
  readonly maxBytes: number;
  /** Longest time from a write to the disk itself; 0: before the event can be read. */
  readonly syncIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Memory for events on their way to the disk. @defaultValue 8388608 */
  readonly maxPendingBytes?: number;
}

const defaultMaxPendingBytes = 8_388_608;
const largestSegmentBytes = 8_388_608;
/** Parts that the journal consists of when it is full: what is given up at a time. */
const segmentCount = 8;

/**
 * A first-in-first-out queue of events on disk.
 *
 * Guarantees:
 * - **order**: records come back in the order in which they were appended;
 * - **at least once**: a record that was written comes back until it is acknowledged, also after the
 *   process was killed; a power failure can cost what was written within `syncIntervalMs`;
 * - **bounded**: about `maxBytes` on disk and `maxPendingBytes` in memory; what does not fit is given
 *   up, the oldest on disk first, counted in {@link lostEvents}, and the next batch tells how many.
 *
 * For one reader, which reads a batch, acknowledges it, and reads the next. The caller makes sure that
 * one process at a time has the folder.
 */
export class EventJournal {
  readonly #options: EventJournalOptions;
  readonly #segments: JournalSegments;
  readonly #cursor: JournalCursor;
  readonly #writer: JournalWriter;
  readonly #reader: JournalReader;
  readonly #failures: FailureLog;
  #nextSequence: number;
  /** Sequence of the last record of the newest batch. */
  #readUpTo: number;
  #watcher: () => void = () => undefined;
  /** Events given up since this process started. */
  lostEvents = 0;

  private constructor(
    options: EventJournalOptions,
    state: { segments: JournalSegments; cursor: JournalCursor; nextSequence: number },
  ) {
    this.#options = options;
    this.#segments = state.segments;
    this.#cursor = state.cursor;
    this.#readUpTo = state.cursor.acknowledged;
    this.#nextSequence = state.nextSequence;
    this.#failures = new FailureLog(options.clock);
    this.#reader = new JournalReader(state.segments, (records) => this.#lose(records, 'damaged'));
    this.#writer = new JournalWriter({
      segments: state.segments,
      segmentBytes: Math.min(largestSegmentBytes, Math.ceil(options.maxBytes / segmentCount)),
      maxPendingBytes: options.maxPendingBytes ?? defaultMaxPendingBytes,
      syncIntervalMs: options.syncIntervalMs,
      clock: options.clock,
      logger: options.logger,
      written: () => this.#written(),
    });
  }

  /** Opens the journal of a folder, where it ended, however it ended. */
  static async open(options: EventJournalOptions): Promise<EventJournal> {
    const segments = await JournalSegments.open(options.folder);
    const cursor = await JournalCursor.open(path.join(options.folder, 'cursor'));
    const { newest } = segments;
    const last = newest && ((await lastSequenceOf(newest)) ?? newest.firstSequence - 1);
    const nextSequence = Math.max(last ?? 0, cursor.acknowledged) + 1;
    return new EventJournal(options, { segments, cursor, nextSequence });
  }

  /** Events that are not acknowledged yet, given-up ones among them. */
  get backlog(): number {
    return this.#nextSequence - 1 - this.#cursor.acknowledged;
  }

  /** Events that are in memory only, on their way to the disk. */
  get unwrittenEvents(): number {
    return this.#writer.pendingRecords;
  }

  get diskBytes(): number {
    return this.#segments.totalBytes;
  }

  /** Why events cannot be written at the moment. */
  get trouble(): string | undefined {
    return this.#writer.trouble;
  }

  /** Calls `watcher`, and no other one any more, whenever there is more to read. */
  watch(watcher: () => void): void {
    this.#watcher = watcher;
  }

  /** Appends what `build` makes of the event's sequence. Never waits and never throws. */
  append(build: (sequence: number) => Buffer): void {
    const sequence = this.#nextSequence;
    this.#nextSequence += 1;
    const payload = build(sequence);
    if (payload.length > maxRecordBytes) this.#lose(1, 'too long');
    else if (!this.#writer.append({ sequence, payload })) this.#lose(1, 'not written in time');
  }

  /** The oldest events that are not acknowledged; undefined when there are none. */
  async read(limits: BatchLimits): Promise<JournalBatch | undefined> {
    const batch = await this.#reader.read(this.#cursor.acknowledged, limits);
    this.#readUpTo = batch?.records.at(-1)?.sequence ?? this.#readUpTo;
    return batch;
  }

  /** The batch that was read last has arrived, and will not be read again. */
  async acknowledge(): Promise<void> {
    this.#cursor.acknowledge(this.#readUpTo);
    this.#reader.advance();
    for (;;) {
      const { oldest } = this.#segments;
      const next = oldest && this.#segments.after(oldest);
      if (oldest === undefined || next === undefined) return;
      if (next.firstSequence > this.#cursor.acknowledged + 1) return;
      await this.#segments.remove(oldest);
    }
  }

  /** Resolves when everything appended so far can be read, or after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    const enough = new AbortController();
    await Promise.race([this.#writer.idle, delay(this.#options.clock, timeoutMs, enough.signal)]);
    enough.abort();
  }

  /** Writes what is pending and closes the files. */
  async close(): Promise<void> {
    await this.#writer.close();
    await this.#cursor.close();
  }

  #written(): void {
    void this.#makeRoom();
    this.#watcher();
  }

  async #makeRoom(): Promise<void> {
    try {
      while (this.#segments.totalBytes > this.#options.maxBytes) {
        const { oldest } = this.#segments;
        const next = oldest && this.#segments.after(oldest);
        if (oldest === undefined || next === undefined) return;
        // What was read is on its way to the backend and may still arrive.
        const first = Math.max(oldest.firstSequence, this.#readUpTo + 1);
        const removed = this.#segments.remove(oldest);
        this.#lose(Math.max(0, next.firstSequence - first), 'the journal is full');
        await removed;
      }
    } catch (error) {
      this.#failures.report('remove', (suppressed) => {
        this.#options.logger.error(
          { err: error, folder: this.#options.folder, suppressed },
          'event hooks: an old file of the journal cannot be removed; mend the permissions of the folder',
        );
      });
    }
  }

  #lose(events: number, why: string): void {
    if (events === 0) return;
    this.lostEvents += events;
    this.#failures.report(why, (suppressed) => {
      this.#options.logger.error(
        { events, why, folder: this.#options.folder, lostEvents: this.lostEvents, suppressed },
        `event hooks: ${events} events are lost (${why}); ${this.lostEvents} since the start. The backend is told how many. If the journal is full, bring the backend back or raise journal_max_size`,
      );
    });
  }
}
