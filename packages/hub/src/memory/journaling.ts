import type { Clock } from '../clock.ts';
import type { Logger } from '../hub.ts';
import { JournalMetrics } from '../metrics.ts';
import type { ChannelChange, ChannelJournal, ChannelRecord } from '../ports/channel-journal.ts';
import {
  JournalWriter,
  stopping,
  type JournaledState,
  type OperationKind,
} from './journal-writer.ts';

/** Where a memory broker keeps what outlives the process, and which channels that is. */
export interface JournalingOptions {
  readonly journal: ChannelJournal;
  /** Whether what happens in a channel is journaled before anybody is told of it. */
  readonly isDurable: (channel: string) => boolean;
  /** How long writing the snapshot at the end may take. @defaultValue 5000 */
  readonly snapshotTimeoutMs?: number;
  /** @defaultValue none */
  readonly logger?: Logger;
  /** @defaultValue its own */
  readonly metrics?: JournalMetrics;
}

/** What an exchange adds to be journaled as a whole. */
export interface JournaledExchange<Delivery> extends JournaledState<Delivery> {
  /** What the channels that are not kept have in memory, for the snapshot. */
  snapshot(): Iterable<ChannelRecord>;
  /** Whether all kept channels have to be in memory all the time, because their keys expire by themselves. */
  readonly needsAllResident: boolean;
}

const loadedAtOnce = 100;
const reloadDelayMs = 1000;

/**
 * Makes the state of an exchange outlive its process: what happens in durable channels goes through a
 * {@link JournalWriter}, everything else is written once when it stops, and read when it starts.
 */
export class Journaling<Delivery> {
  readonly #exchange: JournaledExchange<Delivery>;
  readonly #options: JournalingOptions;
  readonly #clock: Clock;
  readonly #metrics: JournalMetrics;
  readonly #writer: JournalWriter<Delivery>;
  #opened: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #isOpen = false;
  #isInTrouble = false;
  readonly #reloads = new Map<string, () => void>();

  constructor(
    exchange: JournaledExchange<Delivery>,
    options: JournalingOptions & { readonly clock: Clock },
  ) {
    this.#exchange = exchange;
    this.#options = options;
    this.#clock = options.clock;
    this.#metrics = options.metrics ?? new JournalMetrics();
    this.#writer = new JournalWriter({
      state: exchange,
      journal: options.journal,
      clock: options.clock,
      metrics: this.#metrics,
      onTrouble: (error) => this.#noteTrouble(error),
    });
  }

  isDurable(channel: string): boolean {
    return this.#options.isDurable(channel);
  }

  /** Whether a channel is part of a round that is not committed: it has to stay in memory. */
  holds(channel: string): boolean {
    return this.#writer.holds(channel);
  }

  /** What does not work although the broker serves. */
  concern(): string | undefined {
    const { journal } = this.#options;
    if (!this.#isInTrouble && journal.problem() === undefined) return undefined;
    return 'publishes to durable channels are refused, because their history cannot be kept; the log says why';
  }

  /**
   * Carries out an operation on a channel: at once, or in its turn when the channel is durable.
   * @throws ReplyError as {@link JournalWriter.run}
   */
  perform<T>(channel: string, operation: () => T, kind: OperationKind = {}): T | Promise<T> {
    if (this.#closed) throw stopping();
    if (!this.isDurable(channel)) return operation();
    const isAtRest = !this.#writer.holds(channel) && this.#exchange.isReadable(channel);
    if (kind.isRead !== true || !isAtRest) return this.#writer.run(channel, operation, kind);
    const result = operation();
    // Reading kept the channel alive for longer than the journal knows.
    if (!this.#exchange.isReadable(channel)) this.settle(channel);
    return result;
  }

  /** Brings a channel's state in memory and in the journal together, soon and without being waited for. */
  settle(channel: string): void {
    // A failure is noted by the writer, and the next read tries again.
    this.#writer.run(channel, () => undefined).catch(() => undefined);
  }

  /** Takes a channel that was dropped into memory again, a little later. */
  reload(channel: string): void {
    if (this.#closed || this.#reloads.has(channel)) return;
    const stop = this.#clock.every(reloadDelayMs, () => {
      stop();
      this.#reloads.delete(channel);
      this.settle(channel);
    });
    this.#reloads.set(channel, stop);
  }

  /** Takes back what was there before. Must have resolved before anything else is asked for. */
  open(): Promise<void> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async #open(): Promise<void> {
    const { journal } = this.#options;
    await journal.open();
    for await (const record of journal.takeSnapshot()) await this.#restoreOnce(record);
    for await (const channels of journal.channels()) {
      for (let start = 0; start < channels.length; start += loadedAtOnce) {
        await this.#restoreKept(channels.slice(start, start + loadedAtOnce));
      }
    }
    this.#isOpen = true;
  }

  /** A channel that has become durable is in the journal before the snapshot is used up. */
  async #restoreOnce(record: ChannelRecord): Promise<void> {
    this.#metrics.restoredChannels += 1;
    if (this.isDurable(record.channel)) {
      const keepUntil = record.stream?.forgetAt ?? 0;
      const change = { ...record, startsOver: true, removedKeys: [] };
      await this.#options.journal.commit([
        record.entries.length > 0 ? change : { ...change, keepUntil },
      ]);
    } else {
      this.#exchange.restore(record);
    }
  }

  /**
   * Channels that are durable no longer leave the journal, now that nobody has seen anything: an old
   * position in it must not come back to life later.
   */
  async #restoreKept(channels: readonly string[]): Promise<void> {
    const { journal } = this.#options;
    const noLonger = channels.filter((channel) => !this.isDurable(channel));
    const wanted = this.#exchange.needsAllResident ? channels : noLonger;
    if (wanted.length === 0) return;
    for (const record of await journal.load(wanted)) this.#exchange.restore(record);
    if (noLonger.length > 0) await journal.commit(noLonger.map(withNothing));
  }

  /** Answers what waits, then writes the snapshot. Refuses everything from now on. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { journal, logger, snapshotTimeoutMs = 5000 } = this.#options;
    for (const stop of this.#reloads.values()) stop();
    await this.#writer.close();
    // Otherwise the snapshot of before has not been used up, and is better than none.
    if (this.#isOpen) {
      const signal = AbortSignal.timeout(snapshotTimeoutMs);
      try {
        const channels = await journal.saveSnapshot(this.#exchange.snapshot(), signal);
        if (signal.aborted) {
          logger?.warn(
            { channels, timeoutMs: snapshotTimeoutMs },
            'there was no time to write all channels; clients of the others will be told that they may have missed something',
          );
        }
      } catch (error) {
        logger?.error(
          { err: error },
          'the channels could not be written; after the restart clients will be told that they may have missed something',
        );
      }
    }
    await journal.close();
  }

  #noteTrouble(error: unknown): void {
    const { logger } = this.#options;
    this.#isInTrouble = error !== undefined;
    if (error === undefined) {
      logger?.info({}, 'the history of durable channels can be kept again');
      return;
    }
    logger?.error(
      { err: error },
      'the history of durable channels cannot be kept; publishes to them are refused until it can',
    );
  }
}

function withNothing(channel: string): ChannelChange {
  return {
    channel,
    publications: [],
    entries: [],
    results: [],
    startsOver: true,
    removedKeys: [],
    keepUntil: 0,
  };
}
