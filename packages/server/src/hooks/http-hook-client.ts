import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Clock, Logger } from '@holdfast/hub';
import { CircuitBreaker, type CircuitState } from './circuit-breaker.ts';
import { ConnectionSlots } from './connection-slots.ts';
import { displayUrl } from './endpoint-url.ts';
import type { HookCall, HookCallResult } from './hook-call.ts';
import { HttpExchange } from './http-exchange.ts';
import type { ResolvedHookProxyOptions } from './options.ts';
import { circuitOpen, PendingCall, type PendingCallHost } from './pending-call.ts';

export interface HttpHookClientOptions {
  readonly url: URL;
  readonly proxy: ResolvedHookProxyOptions;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Idle connections are closed before common servers do it (Node and several others: 5 s). */
const idleConnectionMs = 4_000;

/**
 * Calls one endpoint over kept-alive connections. Never more than `maxConnections` calls are under
 * way, never more than `maxWaitingCalls` wait, and each has an answer or a failure by its deadline.
 * A {@link CircuitBreaker} answers for an endpoint that is in trouble.
 */
export class HttpHookClient {
  readonly #options: HttpHookClientOptions;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #slots: ConnectionSlots;
  readonly #circuit: CircuitBreaker;
  readonly #pending = new Set<PendingCall>();
  readonly #host: PendingCallHost;
  #isInTrouble = false;
  /** What the newest result said, for those who ask why the circuit is open. */
  #cause = '';

  constructor(options: HttpHookClientOptions) {
    this.#options = options;
    const { url, proxy, clock } = options;
    const agentOptions = {
      keepAlive: true,
      maxSockets: proxy.maxConnections,
      maxFreeSockets: proxy.maxConnections,
      timeout: idleConnectionMs,
    };
    this.#agent =
      url.protocol === 'https:' ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
    this.#slots = new ConnectionSlots({
      maxActive: proxy.maxConnections,
      maxWaiting: proxy.maxWaitingCalls,
      maxWaitingBytes: proxy.maxWaitingBytes,
    });
    this.#circuit = new CircuitBreaker(proxy.circuitBreaker, clock);
    this.#host = {
      slots: this.#slots,
      circuit: this.#circuit,
      timeoutMs: proxy.timeoutMs,
      maxResponseBytes: proxy.maxResponseBytes,
      exchange: ({ headers, body }, isFresh, done) =>
        new HttpExchange(
          {
            url,
            headers,
            body,
            agent: isFresh ? false : this.#agent,
            maxResponseBytes: proxy.maxResponseBytes,
          },
          done,
        ),
      finished: (pending, result) => this.#finished(pending, result),
    };
  }

  /** Without credentials and query. */
  get displayUrl(): string {
    return displayUrl(this.#options.url);
  }

  get callsUnderWay(): number {
    return this.#slots.active;
  }

  get callsWaiting(): number {
    return this.#slots.waiting;
  }

  get circuitState(): CircuitState {
    return this.#circuit.state;
  }

  /** What is wrong, without the address; undefined while the endpoint is asked as usual. */
  problem(): string | undefined {
    if (this.#circuit.state === 'closed') return undefined;
    const seconds = Math.ceil(this.#circuit.retryAfterMs / 1000);
    return `the backend does not work: ${this.#cause}; next try in ${seconds} s`;
  }

  /** Never rejects. */
  call(call: HookCall): Promise<HookCallResult> {
    if (this.#circuit.refuses) return Promise.resolve(circuitOpen);
    return new Promise((resolve) => {
      const pending = new PendingCall(call, this.#host, resolve);
      this.#pending.add(pending);
      pending.start();
    });
  }

  /** Fails what is under way and closes all connections. */
  close(): void {
    for (const pending of this.#pending) pending.cancel();
    this.#agent.destroy();
  }

  #finished(pending: PendingCall, result: HookCallResult): void {
    this.#pending.delete(pending);
    if (result.kind === 'failure' && result.outcome !== 'circuit_open') this.#cause = result.cause;
    else if (result.kind === 'response') this.#cause = `it answers with status ${result.status}`;
    const isInTrouble = this.#circuit.state !== 'closed';
    if (isInTrouble === this.#isInTrouble) return;
    this.#isInTrouble = isInTrouble;
    const fields = { endpoint: this.displayUrl };
    const { logger } = this.#options;
    if (isInTrouble) {
      logger.error(
        { ...fields, cause: this.#cause },
        `the backend at ${this.displayUrl} does not work: ${this.#cause}. Until it does, its hooks answer with error 100 (clients try again) and it is only probed`,
      );
    } else {
      logger.info(fields, `the backend at ${this.displayUrl} works again`);
    }
  }
}
