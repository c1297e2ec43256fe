import type { OutgoingHttpHeaders } from 'node:http';
import type { WebhookSigner } from '@holdfast/http';
import { type Clock, LabelledCounter, type Logger } from '@holdfast/hub';
import { delay } from '@holdfast/store';
import { FailureLog } from '../failure-log.ts';
import type { HookCallResult } from '../hook-call.ts';
import type { HttpHookClient } from '../http-hook-client.ts';
import { describeStatus } from '../status-trouble.ts';
import type { EventJournal } from './event-journal.ts';
import type { JournalBatch } from './journal-reader.ts';
import type { ResolvedEventHookOptions } from './options.ts';

export interface EventDeliveryOptions {
  readonly hook: ResolvedEventHookOptions;
  readonly url: URL;
  readonly journal: EventJournal;
  readonly client: HttpHookClient;
  /** Headers of every request. */
  readonly headers: OutgoingHttpHeaders;
  readonly signer: WebhookSigner | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** Names requests: each one and its repetitions. */
  readonly randomId: () => string;
}

const retryMinDelayMs = 500;

/**
 * Sends what the journal has, one request at a time, each until it is accepted. States, events and
 * invariants: `event-delivery.spec.md`.
 */
export class EventDelivery {
  readonly #options: EventDeliveryOptions;
  readonly #failures: FailureLog;
  /** Aborted when nothing is waited for any more. */
  readonly #draining = new AbortController();
  /** Aborted when nothing is sent any more. */
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  #wake: () => void = () => undefined;
  #hasMore = true;
  #failedAttempts = 0;
  #trouble: string | undefined;
  deliveredEvents = 0;
  /** By how they ended: `delivered`, `status`, `timeout`, `network` and so on. */
  readonly requests: LabelledCounter = new LabelledCounter();

  /** Begins at once. */
  constructor(options: EventDeliveryOptions) {
    this.#options = options;
    this.#failures = new FailureLog(options.clock);
    options.journal.watch(() => this.#more());
    this.#finished = this.#run();
  }

  /** Why events do not arrive at the moment. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /**
   * Sends what is left, without waiting for more or between attempts, for at most `timeoutMs`. What is
   * not accepted by then stays in the journal.
   */
  async stop(timeoutMs: number): Promise<void> {
    this.#draining.abort();
    this.#wake();
    const cutOff = setTimeout(() => this.#stopping.abort(), timeoutMs);
    await this.#finished;
    clearTimeout(cutOff);
  }

  #more(): void {
    this.#hasMore = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    for (;;) {
      try {
        if (!(await this.#step())) return;
      } catch (error) {
        this.#complainOfDisk(error as Error);
        if (this.#draining.signal.aborted) return;
        await this.#wait(retryMinDelayMs);
      }
    }
  }

  /** @returns false at the end. */
  async #step(): Promise<boolean> {
    const { journal, hook } = this.#options;
    this.#hasMore = false;
    const batch = await journal.read({
      maxRecords: hook.batchMaxEvents,
      maxBytes: hook.batchMaxBytes,
    });
    if (batch === undefined) return this.#idle();
    if (!(await this.#deliver(batch))) return false;
    await journal.acknowledge();
    if (!batch.isFull) await this.#wait(hook.batchMaxDelayMs);
    return true;
  }

  /** Until there is more. */
  async #idle(): Promise<boolean> {
    if (this.#hasMore) return true;
    if (this.#draining.signal.aborted) return false;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return true;
  }

  /** Sends the batch until it is accepted. @returns false when that did not happen before the end. */
  async #deliver(batch: JournalBatch): Promise<boolean> {
    const { client, clock, headers, signer, random, hook, randomId } = this.#options;
    const body = encodeBatch(batch);
    const id = randomId();
    for (;;) {
      const timestamp = Math.floor(clock.now() / 1000);
      const result = await client.call({
        headers: { ...headers, ...signer?.headers(id, timestamp, body) },
        body,
        signal: this.#stopping.signal,
        isRepeatable: true,
      });
      if (result.kind === 'response' && result.status >= 200 && result.status < 300) {
        this.#succeeded(batch.records.length);
        return true;
      }
      this.#failed(result);
      if (this.#draining.signal.aborted) return false;
      const limit = Math.min(
        hook.retryMaxDelayMs,
        retryMinDelayMs * 2 ** (this.#failedAttempts - 1),
      );
      await this.#wait(random() * limit);
    }
  }

  #succeeded(events: number): void {
    this.deliveredEvents += events;
    this.requests.add('delivered');
    if (this.#trouble !== undefined) {
      const { hook, journal, logger } = this.#options;
      const backlog = journal.backlog - events;
      logger.info(
        { hook: hook.name, attempts: this.#failedAttempts, backlog },
        `event hook ${hook.name}: the backend accepts events again; ${backlog} are to be sent`,
      );
    }
    this.#failedAttempts = 0;
    this.#trouble = undefined;
  }

  #failed(result: HookCallResult): void {
    if (result.kind === 'failure' && result.outcome === 'canceled') return;
    const { client, hook, journal, logger, url } = this.#options;
    this.#failedAttempts += 1;
    const outcome = result.kind === 'failure' ? result.outcome : 'status';
    this.requests.add(outcome);
    const { cause, advice } =
      result.kind === 'failure'
        ? result
        : {
            cause: describeStatus(result, url).cause,
            advice: 'The backend must accept events with a status from 200 to 299.',
          };
    this.#trouble = cause;
    this.#failures.report(outcome, (suppressed) => {
      logger.error(
        {
          hook: hook.name,
          endpoint: client.displayUrl,
          cause,
          attempts: this.#failedAttempts,
          backlog: journal.backlog,
          suppressed,
        },
        `event hook ${hook.name} at ${client.displayUrl}: ${cause}; ${journal.backlog} events are kept and sent again. ${advice}`,
      );
    });
  }

  #complainOfDisk(error: Error): void {
    const { hook, logger } = this.#options;
    this.#trouble = `events cannot be read from disk (${(error as NodeJS.ErrnoException).code ?? error.name})`;
    this.#failures.report('disk', (suppressed) => {
      logger.error(
        { err: error, hook: hook.name, suppressed },
        `event hook ${hook.name}: ${this.#trouble}; tried again. Mend the disk of data_dir`,
      );
    });
  }

  #wait(ms: number): Promise<void> {
    return delay(this.#options.clock, ms, this.#draining.signal);
  }
}

/** `{"events":[…],"lost":3}`; the events are JSON text already, `lost` is there when it is not 0. */
function encodeBatch({ records, lost }: JournalBatch): Buffer {
  const parts = records.flatMap(({ payload }, index) =>
    index === 0 ? [payload] : [comma, payload],
  );
  const end = lost === 0 ? ']}' : `],"lost":${lost}}`;
  return Buffer.concat([Buffer.from('{"events":['), ...parts, Buffer.from(end)]);
}

const comma = Buffer.from(',');
