import type { IncomingMessage } from 'node:http';
import type { Disconnect } from '@holdfast/protocol';
import type { TransportInfo } from '../events.ts';
import { encodePush, encoderFor, type MessageEncoder } from '../message-encoder.ts';
import type { Session } from '../session.ts';
import { neverDue, type Sleeper, type TimerWheel } from '../timer-wheel.ts';
import { createRate, TokenBucket } from '../token-bucket.ts';
import type { Transport } from './transport.ts';

/** A client that asks nothing for this long is gone. */
const goneAfterMs = 15_000;
/** Time that the last batch of an ended connection waits for a poll. */
const endTimeoutMs = 5_000;
/** Requests of one connection: far more than a client that waits for its answers can send. */
const requestRate = createRate(100, 200);

/** Messages that travel together, and again until the client says that it has them. */
interface Batch {
  readonly number: number;
  readonly messages: readonly Uint8Array[];
  readonly bytes: number;
}

interface Held {
  readonly until: number;
  readonly settle: (batch: Uint8Array | undefined) => void;
}

export interface PollQuestion {
  /** The newest batch that the client has; 0 for none. */
  readonly ack: number;
  /** How long the answer may wait for something to say. */
  readonly waitMs: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly gone?: AbortSignal;
}

export interface LongPollTransportOptions {
  readonly request: IncomingMessage;
  readonly timers: TimerWheel;
  readonly monotonic: () => number;
  /** Called once, last: the connection is over. */
  readonly onEnd: () => void;
}

const lineBreak = Buffer.from('\n');

/**
 * A connection made of requests that each have a whole answer, for networks that let nothing else
 * through. States, events and invariants: `long-poll.spec.md`.
 */
export class LongPollTransport implements Transport, Sleeper {
  readonly info: TransportInfo;
  readonly encoder: MessageEncoder = encoderFor('json', false);
  readonly needsSessionId = true;
  readonly pingsNatively = false;
  readonly refusalDelayMs = 0;
  readonly quietMs = 0;
  wakeTick: number = neverDue;
  readonly #options: LongPollTransportOptions;
  readonly #requests = new TokenBucket();
  #session: Session | undefined;
  #node = '';
  #lastNumber = 0;
  #sent: Batch | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #held: Held | undefined;
  #lastSequence = 0;
  #isReading = true;
  #isKnown = false;
  #goneBy: number;
  #activeAt: number;
  #isEnding = false;
  #isOver = false;

  constructor(options: LongPollTransportOptions) {
    const { request, monotonic } = options;
    this.#options = options;
    this.info = {
      name: 'polling',
      format: 'json',
      unidirectional: false,
      remoteAddress: request.socket.remoteAddress ?? '',
      headers: request.headers,
    };
    this.#activeAt = monotonic();
    this.#goneBy = this.#activeAt + goneAfterMs;
    options.timers.schedule(this, this.#goneBy);
  }

  get bufferedBytes(): number {
    return (this.#sent?.bytes ?? 0) + this.#waitingBytes;
  }

  get silentMs(): number {
    return this.#options.monotonic() - this.#activeAt;
  }

  /** @param node - where this session is, for the client to say it with each request. */
  bind(session: Session, node: string): void {
    this.#session = session;
    this.#node = node;
  }

  // ---- from the session ----

  /** One batch is on its way, and one more collects behind it; then the session waits. */
  write(messages: readonly Uint8Array[]): boolean {
    if (this.#isEnding) return true;
    this.#collect(messages);
    if (this.#sent !== undefined) return false;
    this.#dispatch();
    return true;
  }

  /** Never called: {@link pingsNatively} is false. */
  ping(): void {}

  setReading(isReading: boolean): void {
    this.#isReading = isReading;
  }

  close({ code, reason }: Disconnect): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#collect([encodePush(this.encoder, { disconnect: { code, reason } })]);
    this.#goneBy = this.#options.monotonic() + endTimeoutMs;
    this.#options.timers.schedule(this, this.#goneBy);
    if (this.#sent === undefined) this.#dispatch();
  }

  terminate(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isEnding = true;
    this.#release(undefined);
    this.#options.timers.cancel(this);
    // Not in this turn: a session that ends says why before it is told that its transport is gone.
    queueMicrotask(this.#options.onEnd);
  }

  // ---- from the client ----

  /** Whether the client keeps within the rate of requests. */
  mayAsk(): boolean {
    this.#activeAt = this.#options.monotonic();
    return requestRate === undefined || this.#requests.take(requestRate, this.#activeAt);
  }

  /** Whether the client can be at this place: it has the batch on its way, or the one before it. */
  knows(ack: number): boolean {
    const isLate = this.#sent !== undefined && ack === this.#lastNumber - 1;
    return isLate || ack === this.#lastNumber;
  }

  /**
   * Waits for the batch after `ack`. Resolves with an empty one when there is none in time or a later
   * poll took the place of this one, and with undefined when the connection is over.
   */
  async poll({ ack, waitMs, gone }: PollQuestion): Promise<Uint8Array | undefined> {
    this.#release(this.#body(undefined));
    if (this.#isOver) return undefined;
    this.#isKnown = ack > 0;
    const now = this.#options.monotonic();
    if (!this.#isEnding) this.#goneBy = now + goneAfterMs;
    if (this.#sent !== undefined && ack >= this.#sent.number) this.#acknowledge();
    const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
    const held: Held = { until: now + waitMs, settle: resolve };
    this.#held = held;
    if (this.#sent !== undefined) {
      this.#answer(this.#sent);
    } else if (waitMs === 0) {
      this.#release(this.#body(undefined));
    } else {
      this.#options.timers.schedule(this, held.until);
      gone?.addEventListener('abort', () => {
        if (this.#held === held) this.#release(undefined);
      });
    }
    return promise;
  }

  /**
   * Takes a frame of commands. A `sequence` that was taken before is one whose answer got lost: it
   * changes nothing.
   */
  receive(sequence: number, frame: Uint8Array): 'taken' | 'busy' | 'out_of_order' {
    if (sequence === this.#lastSequence) return 'taken';
    if (sequence !== this.#lastSequence + 1) return 'out_of_order';
    if (!this.#isReading) return 'busy';
    this.#lastSequence = sequence;
    this.#session?.receive(frame);
    return 'taken';
  }

  wake(now: number): number {
    if (this.#isOver) return Infinity;
    if (this.#held !== undefined && now >= this.#held.until) this.#release(this.#body(undefined));
    if (now >= this.#goneBy && (this.#held === undefined || this.#isEnding)) {
      this.terminate();
      return Infinity;
    }
    return this.#held?.until ?? this.#goneBy;
  }

  #collect(messages: readonly Uint8Array[]): void {
    for (const message of messages) {
      this.#waiting.push(message);
      this.#waitingBytes += message.length;
    }
  }

  /** What has collected becomes the batch on its way. */
  #dispatch(): void {
    this.#lastNumber += 1;
    this.#sent = {
      number: this.#lastNumber,
      messages: this.#waiting,
      bytes: this.#waitingBytes,
    };
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#held !== undefined) this.#answer(this.#sent);
  }

  #acknowledge(): void {
    this.#sent = undefined;
    if (this.#waiting.length === 0) return;
    // What the session still has joins the batch.
    this.#session?.drained();
    if (this.#sent === undefined) this.#dispatch();
  }

  #answer(batch: Batch): void {
    this.#release(this.#body(batch));
    // The answer has the farewell in it: there is nothing left to say.
    if (this.#isEnding && this.#waiting.length === 0) this.terminate();
  }

  #release(body: Uint8Array | undefined): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#activeAt = this.#options.monotonic();
    if (!this.#isEnding) this.#goneBy = this.#activeAt + goneAfterMs;
    this.#options.timers.schedule(this, this.#goneBy);
    held.settle(body);
  }

  /**
   * The first line says which batch it is and how many lines follow, so that a client notices an
   * answer that was cut short. Until a client has acknowledged something it is told where its session is.
   */
  #body(batch: Batch | undefined): Uint8Array {
    const head = {
      batch: batch?.number ?? 0,
      messages: batch?.messages.length ?? 0,
      ...(this.#isKnown ? {} : { node: this.#node, session: this.#session?.sessionId }),
    };
    return Buffer.concat([
      Buffer.from(JSON.stringify(head)),
      ...(batch?.messages ?? []).flatMap((message) => [lineBreak, message]),
    ]);
  }
}
