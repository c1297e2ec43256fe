import type { EngineSocket, SocketClose } from './deferred-close-socket.ts';
import type { Environment } from './environment.ts';
import { errorAnswer } from './error-answer.ts';
import { retryAfterMs } from './retry-after.ts';

/** How long a poll asks the server to wait, until the way there turns out to be less patient. */
const longestWaitMs = 20_000;
const shortestWaitMs = 1_000;
/** Beyond the wait it asked for, what an answer may need. */
const answerGraceMs = 10_000;
/** Requests that may fail in a row before the connection counts as lost. */
const patience = 3;
const firstRetryMs = 200;
/** Frames of commands that travel in one request: well below what servers take. */
const maxRequestBytes = 48_000;

const open = 1;
const closed = 3;

export interface PollingSocketOptions {
  readonly fetch: typeof globalThis.fetch;
  readonly environment: Environment;
  readonly connectTimeoutMs: number;
  readonly onClosed: (close: SocketClose) => void;
}

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly text: string;
}

interface Batch {
  readonly batch: number;
  readonly node?: string;
  readonly session?: string;
  /** Joined by line breaks, as in one frame. */
  readonly data: string;
}

/**
 * A WebSocket made of polls: what a client has left where proxies let only whole answers through. Each
 * batch of messages is asked for until it has come, and each frame of commands is sent until it was
 * taken; both carry numbers, so that neither is heard twice.
 */
export class PollingSocket implements EngineSocket {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  readonly #url: string;
  readonly #options: PollingSocketOptions;
  readonly #abort = new AbortController();
  readonly #outbox: string[] = [];
  #address: { readonly node: string; readonly session: string } | undefined;
  #readyState = open;
  #ack = 0;
  #sequence = 0;
  #waitMs = longestWaitMs;
  #isSending = false;

  constructor(url: string, options: PollingSocketOptions) {
    this.#url = url;
    this.#options = options;
    // There is nothing to open: the first frame goes with the first request.
    queueMicrotask(() => this.onopen?.({} as never));
  }

  get readyState(): number {
    return this.#readyState;
  }

  send(data: string): void {
    this.#outbox.push(data);
    if (!this.#isSending) void this.#work();
  }

  /** Tells the server, without waiting, that this connection is over; its owner hears no more of it. */
  close(): void {
    if (this.#readyState === closed) return;
    this.#readyState = closed;
    this.#abort.abort();
    if (this.#address === undefined) return;
    const { fetch } = this.#options;
    const body = JSON.stringify({ ...this.#address, close: true });
    // Outlives the page, so that nobody is shown as present who has left.
    fetch(this.#url, { ...request(body), keepalive: true }).catch(() => undefined);
  }

  async #work(): Promise<void> {
    this.#isSending = true;
    if (this.#address === undefined) await this.#connect();
    while (this.#readyState === open && this.#outbox.length > 0) await this.#sendNext();
    this.#isSending = false;
  }

  async #connect(): Promise<void> {
    const data = this.#take();
    // The answer comes as soon as there is one, which a server of ours does not keep for long.
    const { connectTimeoutMs: wait } = this.#options;
    const answer = await this.#ask(JSON.stringify({ data, wait }), wait + answerGraceMs);
    const batch = answer?.status === 200 ? batchOf(answer.text) : undefined;
    if (batch?.node === undefined || batch.session === undefined) {
      this.#fail(answer);
      return;
    }
    this.#address = { node: batch.node, session: batch.session };
    this.#deliver(batch);
    void this.#poll();
  }

  async #poll(): Promise<void> {
    let failures = 0;
    while (this.#readyState === open) {
      const askedAt = this.#options.environment.now();
      const body = JSON.stringify({ ...this.#address, ack: this.#ack, wait: this.#waitMs });
      const answer = await this.#ask(body, this.#waitMs + answerGraceMs);
      const batch = answer?.status === 200 ? batchOf(answer.text) : undefined;
      if (batch !== undefined) {
        failures = 0;
        this.#deliver(batch);
        continue;
      }
      failures += 1;
      // Something on the way is less patient than we: ask for less.
      const lastedMs = this.#options.environment.now() - askedAt;
      if (lastedMs >= shortestWaitMs) {
        this.#waitMs = Math.max(shortestWaitMs, Math.min(this.#waitMs, Math.floor(lastedMs / 2)));
      }
      if (!(await this.#mayRetry(answer, failures))) return;
    }
  }

  async #sendNext(): Promise<void> {
    const data = this.#take();
    this.#sequence += 1;
    const body = JSON.stringify({ ...this.#address, seq: this.#sequence, data });
    for (let failures = 1; this.#readyState === open; failures++) {
      const answer = await this.#ask(body, answerGraceMs);
      if (answer?.status === 204) return;
      if (!(await this.#mayRetry(answer, failures))) return;
    }
  }

  /** Waits a while after a request without a good answer; false when the connection is lost. */
  async #mayRetry(answer: Answer | undefined, failures: number): Promise<boolean> {
    const { environment } = this.#options;
    const isFinal =
      answer !== undefined && answer.status >= 400 && answer.status < 500 && answer.status !== 429;
    if (isFinal || failures >= patience) {
      this.#fail(answer);
      return false;
    }
    const delayMs = firstRetryMs * 2 ** failures * (0.5 + environment.random() / 2);
    await new Promise<void>((resolve) => {
      environment.after(Math.max(delayMs, answer?.retryAfterMs ?? 0), resolve);
    });
    return true;
  }

  /** As many frames as one request may carry, in order. */
  #take(): string {
    let bytes = 0;
    let count = 0;
    for (const frame of this.#outbox) {
      bytes += frame.length;
      if (count > 0 && bytes > maxRequestBytes) break;
      count += 1;
    }
    return this.#outbox.splice(0, count).join('\n');
  }

  async #ask(body: string, timeoutMs: number): Promise<Answer | undefined> {
    const { fetch, environment } = this.#options;
    const timeout = new AbortController();
    const cancelTimeout = environment.after(timeoutMs, () => timeout.abort());
    try {
      const signal = AbortSignal.any([this.#abort.signal, timeout.signal]);
      const response = await fetch(this.#url, { ...request(body), signal });
      const { status, headers } = response;
      return { status, retryAfterMs: retryAfterMs(headers), text: await response.text() };
    } catch {
      return undefined;
    } finally {
      cancelTimeout();
    }
  }

  #deliver({ batch, data }: Batch): void {
    if (this.#readyState !== open || batch <= this.#ack) return;
    this.#ack = batch;
    this.onmessage?.({ data } as never);
  }

  #fail(answer: Answer | undefined): void {
    if (this.#readyState === closed) return;
    this.#readyState = closed;
    this.#abort.abort();
    const message = answer === undefined ? undefined : errorAnswer(answer.text)?.message;
    const status = answer === undefined ? '' : `HTTP ${answer.status}`;
    const reason = message === undefined ? status : `${status}, ${message}`;
    const hint = answer?.retryAfterMs;
    const close = {
      code: answer?.status === 413 ? 1009 : 1006,
      reason,
      ...(hint === undefined ? {} : { retryAfterMs: hint }),
    };
    this.#options.onClosed(close);
    this.onclose?.(close as never);
  }
}

function request(body: string): RequestInit {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    credentials: 'same-origin',
    cache: 'no-store',
    body,
  };
}

/** Undefined for an answer that is not the server's, or was cut short on its way. */
function batchOf(text: string): Batch | undefined {
  const [head = '', ...messages] = text.split('\n');
  try {
    const { messages: count, ...batch } = JSON.parse(head) as Batch & { readonly messages: number };
    if (!Number.isSafeInteger(batch.batch) || count !== messages.length) return undefined;
    return { ...batch, data: messages.join('\n') };
  } catch {
    return undefined;
  }
}
