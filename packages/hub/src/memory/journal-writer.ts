import { ReplyError } from '@holdfast/protocol';
import type { Clock } from '../clock.ts';
import type {
  ChannelChange,
  ChannelJournal,
  ChannelRecord,
  JournaledResult,
} from '../ports/channel-journal.ts';
import type { JournalMetrics } from '../metrics.ts';
import type { FanOut } from './fan-out.ts';

/** The state in memory that a journal keeps, channel by channel. */
export interface JournaledState<Delivery> {
  readonly deliveries: FanOut<Delivery>;
  /** Whether the channel's stream or keys are in memory. */
  isResident(channel: string): boolean;
  /** Whether reading the channel would change nothing that has to be journaled. */
  isReadable(channel: string): boolean;
  /** Takes a channel into memory as the journal has it. */
  restore(record: ChannelRecord): void;
  /** What the journal does not have of the channel; from now on it counts as having it. */
  takeUnsaved(channel: string): ChannelChange | undefined;
  /** Drops a channel from memory, as if it had never been there, and these of its results. */
  discard(channel: string, results: readonly JournaledResult[]): void;
  /** Tells the nodes that deliveries of the channel may have been lost. */
  interrupt(channel: string): void;
}

export interface JournalWriterOptions<Delivery> {
  readonly state: JournaledState<Delivery>;
  readonly journal: ChannelJournal;
  readonly clock: Clock;
  readonly metrics: JournalMetrics;
  /** Told once when the journal stops working, and once when it works again (undefined). */
  readonly onTrouble: (error: unknown) => void;
}

/** How an operation is to be treated. */
export interface OperationKind {
  /** Repeated by itself when something else's failure took it along. */
  readonly isRead?: boolean;
  /** Of its data, roughly. */
  readonly bytes?: number;
}

interface Operation {
  readonly channel: string;
  readonly run: () => unknown;
  readonly isRead: boolean;
  readonly bytes: number;
  readonly since: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  isRepeated: boolean;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** Operations that may wait, and bytes of their data; one more is refused with error 111. */
const maxWaiting = 50_000;
const maxWaitingBytes = 64 * 1024 * 1024;
/** How long one may wait for its turn. */
const maxWaitMs = 10_000;
/** What one commit may hold: its rows are written without a pause. */
const maxBatch = 1000;
const maxBatchBytes = 4 * 1024 * 1024;

/**
 * Carries out operations on kept channels, in rounds. All that came since the round before run in
 * memory, in their order; what they changed is committed to the journal in one go; only then others
 * hear of it and the callers are answered. When the commit fails, memory forgets the channels that
 * were changed, and the next operation takes them from the journal again: what the journal has is the truth.
 * See `journal.spec.md`.
 */
export class JournalWriter<Delivery> {
  readonly #options: JournalWriterOptions<Delivery>;
  #waiting: Operation[] = [];
  #waitingBytes = 0;
  /** Reads that a failed commit took along; they go next, without any writes. */
  #repeated: Operation[] = [];
  /** Channels of the round under way. */
  #held: ReadonlySet<string> = new Set();
  #idle: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isClosed = false;
  #isInTrouble = false;

  constructor(options: JournalWriterOptions<Delivery>) {
    this.#options = options;
  }

  /** Whether the channel has changes that may not be seen yet. */
  holds(channel: string): boolean {
    return this.#held.has(channel);
  }

  /**
   * Resolves to the operation's result when what it did is journaled.
   * @throws ReplyError 100 (temporary) when that failed: nothing happened, as far as anybody can see;
   * 111 when too much waits
   */
  run<T>(
    channel: string,
    operation: () => T,
    { isRead = false, bytes = 0 }: OperationKind = {},
  ): Promise<T> {
    if (this.#isClosed) return Promise.reject(stopping());
    const isFull =
      this.#waiting.length >= maxWaiting || this.#waitingBytes + bytes > maxWaitingBytes;
    if (isFull) {
      this.#options.metrics.refused += 1;
      return Promise.reject(overloaded());
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        channel,
        run: operation,
        isRead,
        bytes,
        since: this.#options.clock.monotonic(),
        resolve: resolve as (value: unknown) => void,
        reject,
        isRepeated: false,
      });
      this.#waitingBytes += bytes;
      this.#options.metrics.waiting += 1;
      if (this.#isRunning) return;
      this.#isRunning = true;
      this.#idle = this.#drain();
    });
  }

  /** Resolves when everything that waits is answered; refuses whatever comes later. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#idle;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 || this.#repeated.length > 0) {
      // Everything of this turn of the event loop shares a commit, and nothing runs inside a delivery.
      await new Promise((resolve) => setImmediate(resolve));
      const round = this.#take();
      this.#held = new Set(round.map(({ channel }) => channel));
      await this.#runRound(round);
    }
    this.#isRunning = false;
  }

  #take(): readonly Operation[] {
    if (this.#repeated.length > 0) return this.#repeated.splice(0);
    const { clock } = this.#options;
    const tooOld = clock.monotonic() - maxWaitMs;
    const round: Operation[] = [];
    let taken = 0;
    let bytes = 0;
    for (const operation of this.#waiting) {
      if (round.length >= maxBatch || bytes >= maxBatchBytes) break;
      taken += 1;
      bytes += operation.bytes;
      if (operation.since > tooOld) round.push(operation);
      else operation.reject(overloaded());
    }
    this.#waiting = this.#waiting.slice(taken);
    this.#waitingBytes -= bytes;
    this.#options.metrics.waiting -= taken;
    return round;
  }

  async #runRound(round: readonly Operation[]): Promise<void> {
    const { state, journal, metrics } = this.#options;
    let changes: readonly ChannelChange[] = [];
    const outcomes: Outcome[] = [];
    let deliveries: readonly Delivery[];
    try {
      const missing = [...this.#held].filter((channel) => !state.isResident(channel));
      if (missing.length > 0) {
        for (const record of await journal.load(missing)) state.restore(record);
      }
      deliveries = state.deliveries.capture(() => {
        for (const { run } of round) outcomes.push(outcomeOf(run));
      });
      changes = [...this.#held].flatMap((channel) => state.takeUnsaved(channel) ?? []);
      if (changes.length > 0) await journal.commit(changes);
    } catch (error) {
      this.#fail(round, changes, error);
      return;
    }
    this.#held = new Set();
    if (changes.length > 0) {
      metrics.commits += 1;
      metrics.changedChannels += changes.length;
      if (this.#isInTrouble) this.#options.onTrouble(undefined);
      this.#isInTrouble = false;
    }
    for (const delivery of deliveries) state.deliveries.send(delivery);
    for (const [index, operation] of round.entries()) settle(operation, outcomes[index]);
  }

  #fail(round: readonly Operation[], changes: readonly ChannelChange[], error: unknown): void {
    const { state, metrics, onTrouble } = this.#options;
    metrics.failures += 1;
    if (!this.#isInTrouble) onTrouble(error);
    this.#isInTrouble = true;
    const byChannel = new Map(changes.map((change) => [change.channel, change]));
    for (const channel of this.#held) state.discard(channel, byChannel.get(channel)?.results ?? []);
    this.#held = new Set();
    for (const operation of round) {
      if (!operation.isRead || operation.isRepeated) {
        operation.reject(notKept());
        continue;
      }
      operation.isRepeated = true;
      this.#repeated.push(operation);
    }
    // A commit that failed may have been kept all the same, and then nobody was told of it.
    for (const { channel } of changes) state.interrupt(channel);
  }
}

function outcomeOf(run: () => unknown): Outcome {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

function settle(operation: Operation, outcome: Outcome | undefined): void {
  if (outcome && 'value' in outcome) operation.resolve(outcome.value);
  else operation.reject(outcome?.error);
}

function notKept(): ReplyError {
  return new ReplyError(
    100,
    'internal server error: the history of the channel cannot be kept right now; try again later',
    true,
  );
}

function overloaded(): ReplyError {
  return new ReplyError(
    111,
    'too many requests: more waits to be kept than the store can take; try again later',
    true,
  );
}

/** For whatever comes after the end. */
export function stopping(): ReplyError {
  return new ReplyError(100, 'internal server error: the node is stopping; try again', true);
}
