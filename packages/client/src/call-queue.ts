import { ClientError } from './client-error.ts';
import type { Environment } from './environment.ts';
import type { PublishQueueOptions } from './options.ts';
import type { Call, Wire } from './wire.ts';

export interface EnqueueOptions {
  /**
   * Send again when the outcome of sending is unknown. Right for questions; for publishes it means at
   * least once.
   */
  readonly retry: boolean;
  /** While a call with this key waits, enqueuing it again gives the same promise. */
  readonly idempotencyKey?: string;
  readonly timeoutMs?: number;
}

interface Entry {
  readonly call: Call;
  readonly options: EnqueueOptions;
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: ClientError) => void;
  cancelTimeout: () => void;
  isInFlight: boolean;
  wasSent: boolean;
}

export interface CallQueueOptions {
  readonly wire: () => Wire;
  readonly environment: Environment;
  readonly limits: PublishQueueOptions;
}

/**
 * Calls wait here for a connection, in order and bounded in number and time. Each promise settles
 * exactly once: with the answer, with the server's refusal, or when its time is over. Those whose
 * answer got lost go out again before those that came later, so that order is kept.
 */
export class CallQueue {
  readonly #wire: () => Wire;
  readonly #environment: Environment;
  readonly #limits: PublishQueueOptions;
  readonly #entries = new Set<Entry>();
  #isClosed = false;

  constructor({ wire, environment, limits }: CallQueueOptions) {
    this.#wire = wire;
    this.#environment = environment;
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  async enqueue(call: Call, options: EnqueueOptions): Promise<unknown> {
    const { idempotencyKey: key } = options;
    if (this.#isClosed) throw closed();
    if (key !== undefined) {
      for (const entry of this.#entries) {
        if (entry.options.idempotencyKey === key) return entry.promise;
      }
    }
    if (this.#entries.size >= this.#limits.maxSize) {
      throw new ClientError(
        'queue_full',
        `${this.#limits.maxSize} calls wait for the connection already: try again when it is back`,
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const entry: Entry = {
      call,
      options,
      promise,
      resolve,
      reject,
      cancelTimeout: () => undefined,
      isInFlight: false,
      wasSent: false,
    };
    const timeoutMs = options.timeoutMs ?? this.#limits.timeoutMs;
    entry.cancelTimeout = this.#environment.after(timeoutMs, () => this.#expire(entry, timeoutMs));
    this.#entries.add(entry);
    this.flush();
    return promise;
  }

  /** Sends what waits, when there is a connection. */
  flush(): void {
    for (const entry of this.#entries) {
      if (this.#wire().state.status !== 'connected') return;
      if (!entry.isInFlight) void this.#send(entry);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const entry of this.#entries) this.#settle(entry, () => entry.reject(closed()));
  }

  async #send(entry: Entry): Promise<void> {
    entry.isInFlight = true;
    try {
      const answer = await this.#wire().call(entry.call);
      this.#settle(entry, () => entry.resolve(answer));
    } catch (error) {
      entry.isInFlight = false;
      const failure = error as ClientError;
      if (failure.code === 'outcome_unknown') entry.wasSent = true;
      const isWaiting =
        failure.code === 'not_connected' ||
        (failure.code === 'outcome_unknown' && entry.options.retry);
      if (!isWaiting) this.#settle(entry, () => entry.reject(failure));
      else this.flush();
    }
  }

  #expire(entry: Entry, timeoutMs: number): void {
    const error =
      entry.isInFlight || entry.wasSent
        ? new ClientError(
            'outcome_unknown',
            `no answer within ${timeoutMs} ms: it was sent, and may have happened or not`,
          )
        : new ClientError('timed_out', `no connection within ${timeoutMs} ms: it was not sent`);
    this.#settle(entry, () => entry.reject(error));
  }

  /** An answer that comes after the promise settled changes nothing. */
  #settle(entry: Entry, settle: () => void): void {
    if (!this.#entries.delete(entry)) return;
    entry.cancelTimeout();
    settle();
  }
}

function closed(): ClientError {
  return new ClientError('closed', 'this client was closed');
}
