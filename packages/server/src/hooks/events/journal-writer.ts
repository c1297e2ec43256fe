import type { Clock, Logger } from '@holdfast/hub';
import { delay } from '@holdfast/store';
import { FailureLog } from '../failure-log.ts';
import { encodeRecord, type JournalRecord } from './journal-record.ts';
import type { JournalSegments, OpenSegment } from './journal-segments.ts';

export interface JournalWriterOptions {
  readonly segments: JournalSegments;
  /** A segment that has grown to this size is followed by a new one. */
  readonly segmentBytes: number;
  readonly maxPendingBytes: number;
  /** Longest time from a write to the disk itself; 0: before the records can be read. */
  readonly syncIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after each write; the records can be read from then on. */
  readonly written: () => void;
}

const retryMs = 1_000;

/**
 * Appends records to the newest segment: what arrives while a write is under way goes into the next
 * one. A process always begins a segment of its own, so what a crash left half-written stays at the
 * end of an older file, where reading stops.
 */
export class JournalWriter {
  readonly #options: JournalWriterOptions;
  readonly #failures: FailureLog;
  readonly #closing = new AbortController();
  /** Encoded records that are not written yet, or just being written. */
  readonly #pending: { readonly sequence: number; readonly bytes: Buffer }[] = [];
  #pendingBytes = 0;
  #running: Promise<void> | undefined;
  #current: OpenSegment | undefined;
  #syncing: Promise<void> | undefined;
  #trouble: string | undefined;

  constructor(options: JournalWriterOptions) {
    this.#options = options;
    this.#failures = new FailureLog(options.clock);
  }

  /** Why events cannot be written at the moment. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Resolves when nothing is left to write. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** Records in memory only. */
  get pendingRecords(): number {
    return this.#pending.length;
  }

  /** Never waits. @returns false when there is no room because the disk is too slow or refuses. */
  append(record: JournalRecord): boolean {
    if (this.#pendingBytes + record.payload.length > this.#options.maxPendingBytes) return false;
    const bytes = encodeRecord(record);
    this.#pending.push({ sequence: record.sequence, bytes });
    this.#pendingBytes += bytes.length;
    this.#running ??= this.#run();
    return true;
  }

  /** Resolves when everything is written and synced, or could not be. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    await this.#syncing;
    await this.#sync();
    await this.#current?.file.close();
    this.#current = undefined;
  }

  async #run(): Promise<void> {
    // What else is appended right now goes into the same write.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      try {
        await this.#writePart();
        this.#options.written();
      } catch (error) {
        await this.#complain(error as Error);
        if (this.#closing.signal.aborted) break;
        await delay(this.#options.clock, retryMs, this.#closing.signal);
      }
    }
    this.#running = undefined;
  }

  /** Writes as much of what is pending as fits into one segment, at least one record. */
  async #writePart(): Promise<void> {
    const { segmentBytes, syncIntervalMs } = this.#options;
    const { file, segment } = await this.#segmentWithRoom();
    const part: Buffer[] = [];
    let length = 0;
    for (const { bytes } of this.#pending) {
      if (part.length > 0 && segment.size + length >= segmentBytes) break;
      part.push(bytes);
      length += bytes.length;
    }
    await file.appendFile(Buffer.concat(part));
    if (syncIntervalMs === 0) await file.datasync();
    else this.#syncing ??= this.#syncLater();
    segment.size += length;
    this.#pending.splice(0, part.length);
    this.#pendingBytes -= length;
    this.#trouble = undefined;
  }

  async #segmentWithRoom(): Promise<OpenSegment> {
    const { segments, segmentBytes } = this.#options;
    const current = this.#current;
    if (current !== undefined && current.segment.size < segmentBytes) return current;
    if (current !== undefined) {
      await this.#sync();
      this.#current = undefined;
      await current.file.close();
    }
    this.#current = await segments.create(this.#pending[0]?.sequence ?? 0);
    return this.#current;
  }

  /** After a failed write the end of the file is unknown: what comes next goes into a new one. */
  async #complain(error: Error): Promise<void> {
    this.#trouble = `events cannot be written to disk (${codeOf(error)})`;
    this.#failures.report('write', (suppressed) => {
      this.#options.logger.error(
        { err: error, waiting: this.#pending.length, suppressed },
        `event hooks: ${this.#trouble}; they are kept in memory and would not survive a crash. Free space on the disk of data_dir, or name another folder`,
      );
    });
    const current = this.#current;
    this.#current = undefined;
    try {
      await current?.file.close();
    } catch {
      // The same trouble once more.
    }
  }

  async #syncLater(): Promise<void> {
    const { clock, syncIntervalMs } = this.#options;
    await delay(clock, syncIntervalMs, this.#closing.signal);
    this.#syncing = undefined;
    await this.#sync();
  }

  async #sync(): Promise<void> {
    try {
      await this.#current?.file.datasync();
    } catch (error) {
      await this.#complain(error as Error);
    }
  }
}

/** The system's code: messages name the file, which is nobody else's business. */
function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.name;
}
