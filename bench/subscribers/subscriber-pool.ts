import { monotonicUs, type BenchMessage } from '../targets/bench-message.ts';
import { RawSubscriber, type SubscriberEvents } from './raw-subscriber.ts';
import type { SubscriberDialect } from './subscriber-dialect.ts';

/** A process may have 20,000 files open; the rest is for Node itself. */
const maxSubscribers = 19_000;

/** Each source address has some 28,000 ports of its own. */
const sourceAddresses = Array.from({ length: 20 }, (_, index) => `127.0.0.${index + 2}`);

/** Of every so many subscribers one is looked into. */
const sampleEvery = 10;

export interface OpenSettings {
  readonly count: number;
  /** Connections being made at the same time. */
  readonly inFlight: number;
}

export interface PoolOpening {
  /** From the first connect call to the last subscribed subscriber, on the generator's clock. */
  readonly elapsedMs: number;
  /** From each one's connect call until it is subscribed. */
  readonly connectMs: Float64Array;
}

/**
 * All subscribers of one server. Listeners are there before anything is published; a subscriber
 * that is refused, cut, skipped or served out of order makes the whole measurement fail.
 */
export class SubscriberPool {
  readonly #dialect: SubscriberDialect;
  readonly #port: number;
  #subscribers: RawSubscriber[] = [];
  #received = 0;
  #latencies: number[] = [];
  #problem: Error | undefined;
  #wake: (() => void) | undefined;
  #waitingFor = Number.POSITIVE_INFINITY;

  constructor(dialect: SubscriberDialect, port: number) {
    this.#dialect = dialect;
    this.#port = port;
  }

  async open({ count, inFlight }: OpenSettings): Promise<PoolOpening> {
    const first = this.#subscribers.length;
    if (first + count > maxSubscribers) {
      throw new Error(
        `${first + count} subscribers are too many for one process (${maxSubscribers})`,
      );
    }
    const tokens = Array.from(
      { length: count },
      (_, index) => this.#dialect.token?.(first + index) ?? '',
    );
    const connectMs = new Float64Array(count);
    const startUs = monotonicUs();
    let next = 0;
    const openNext = async (): Promise<void> => {
      while (next < count) {
        const index = next;
        next += 1;
        const calledUs = monotonicUs();
        await this.#openOne(first + index, tokens[index] ?? '');
        connectMs[index] = (monotonicUs() - calledUs) / 1_000;
      }
    };
    await Promise.all(Array.from({ length: Math.min(inFlight, count) }, openNext));
    return { elapsedMs: (monotonicUs() - startUs) / 1_000, connectMs };
  }

  #openOne(index: number, token: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const events: SubscriberEvents = {
        onSubscribed: resolve,
        onMessages: (_, count) => this.#count(count),
        onSample: (subscriber, text) => this.#sample(subscriber, text),
        onProblem: (problem) => {
          this.#problem ??= new Error(`subscriber ${index}: ${problem}`);
          reject(this.#problem);
          this.#wake?.();
        },
      };
      const subscriber = new RawSubscriber(
        {
          port: this.#port,
          localAddress: sourceAddresses[index % sourceAddresses.length] ?? '127.0.0.2',
          dialect: this.#dialect,
          token,
          isSampled: index % sampleEvery === 0,
        },
        events,
      );
      this.#subscribers.push(subscriber);
    });
  }

  #count(messages: number): void {
    this.#received += messages;
    if (this.#received >= this.#waitingFor) this.#wake?.();
  }

  #sample(subscriber: RawSubscriber, text: string): void {
    const arrivedUs = monotonicUs();
    const { number, stampUs } = JSON.parse(text) as BenchMessage;
    const { lastNumber } = subscriber;
    if (lastNumber !== undefined && number !== lastNumber + 1) {
      throw new Error(`message ${number} came after ${lastNumber}`);
    }
    subscriber.lastNumber = number;
    this.#latencies.push((arrivedUs - stampUs) / 1_000);
  }

  reset(): void {
    this.#received = 0;
    this.#latencies = [];
    for (const subscriber of this.#subscribers) subscriber.received = 0;
  }

  /** Rejects when a connection is lost, or when a subscriber has more or fewer than its share. */
  async delivered(messages: number): Promise<void> {
    this.#waitingFor = messages * this.#subscribers.length;
    if (this.#received < this.#waitingFor && this.#problem === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#wake = undefined;
    this.#waitingFor = Number.POSITIVE_INFINITY;
    if (this.#problem !== undefined) throw this.#problem;
    for (const [index, { received }] of this.#subscribers.entries()) {
      if (received !== messages) {
        throw new Error(`subscriber ${index} received ${received} messages instead of ${messages}`);
      }
    }
  }

  latencies(): Float64Array {
    return Float64Array.from(this.#latencies);
  }

  async closeAll(): Promise<void> {
    const subscribers = this.#subscribers;
    this.#subscribers = [];
    await Promise.all(subscribers.map((subscriber) => subscriber.destroy()));
    this.reset();
  }
}
