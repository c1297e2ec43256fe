import type { Notification } from '@holdfast/protocol/inbox';
import { ClientError } from '../client-error.ts';
import type { Environment } from '../environment.ts';
import { type Backoff, pauseMs } from '../live/backoff.ts';
import type { InboxApi } from './inbox-api.ts';

/** Acknowledgements that are sent together. */
const batchMs = 250;
/** Most of one request. */
const maxBatch = 500;

export interface AcknowledgerOptions {
  readonly api: InboxApi;
  readonly device: () => string;
  /** What this device had not acknowledged when it connected; oldest first. */
  readonly onRedelivered: (notifications: readonly Notification[]) => void;
  readonly environment: Environment;
  readonly backoff: Backoff;
}

/**
 * Tells the server what this device has. Only the tab that speaks for the browser does, so that each
 * notification is acknowledged once by each device; the next such tab asks the server what was left.
 */
export class Acknowledger {
  readonly #options: AcknowledgerOptions;
  readonly #waiting = new Set<string>();
  #term: AbortController | undefined;
  #isSending = false;

  constructor(options: AcknowledgerOptions) {
    this.#options = options;
  }

  /** This tab speaks for the browser from now on: asks what the device has not acknowledged. */
  start(): void {
    this.stop();
    const term = new AbortController();
    this.#term = term;
    void this.#retry(term.signal, async () => {
      const { api, device, onRedelivered } = this.#options;
      const notifications = await api.connect(device(), term.signal);
      if (term.signal.aborted) return;
      onRedelivered(notifications);
      this.add(notifications.map(({ id }) => id));
    });
  }

  /**
   * Another tab speaks for the browser from now on, or none because the page ends. What waits is told
   * at once, and nobody hears how that went: what the server did not hear it gives the next such tab.
   */
  leave(): void {
    const ids = [...this.#waiting].slice(0, maxBatch);
    this.stop();
    if (ids.length === 0) return;
    const { api, device } = this.#options;
    api.acknowledge(device(), ids).catch(() => undefined);
  }

  /** Nobody is told anything any more. */
  stop(): void {
    this.#term?.abort();
    this.#term = undefined;
    this.#isSending = false;
    this.#waiting.clear();
  }

  /** The device has these. Does nothing in a tab that does not speak for it. */
  add(ids: readonly string[]): void {
    if (this.#term === undefined) return;
    for (const id of ids) this.#waiting.add(id);
    if (this.#isSending || this.#waiting.size === 0) return;
    this.#isSending = true;
    const { signal } = this.#term;
    this.#options.environment.after(batchMs, () => void this.#send(signal));
  }

  async #send(signal: AbortSignal): Promise<void> {
    while (this.#waiting.size > 0 && !signal.aborted) {
      const ids = [...this.#waiting].slice(0, maxBatch);
      await this.#retry(signal, async () => {
        await this.#options.api.acknowledge(this.#options.device(), ids, signal);
      });
      if (signal.aborted) return;
      for (const id of ids) this.#waiting.delete(id);
    }
    if (!signal.aborted) this.#isSending = false;
  }

  /** Until it succeeds, can never succeed, or is none of this tab's business any more. */
  async #retry(signal: AbortSignal, action: () => Promise<void>): Promise<void> {
    const { environment, backoff } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt++) {
      let failure: ClientError;
      try {
        await action();
        return;
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        if (!error.retryable || signal.aborted) return;
        failure = error;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      environment.after(pauseMs(attempt, { backoff, environment, error: failure }), resolve);
      await promise;
    }
  }
}
