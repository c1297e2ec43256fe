import type { CircuitBreaker, CircuitPermit } from './circuit-breaker.ts';
import type { ConnectionSlots, SlotTicket } from './connection-slots.ts';
import type { HookCall, HookCallFailure, HookCallResult } from './hook-call.ts';
import type { ExchangeResult, HttpExchange } from './http-exchange.ts';
import { describeNetworkError } from './network-trouble.ts';

/** What a call needs of the client that makes it. */
export interface PendingCallHost {
  readonly slots: ConnectionSlots;
  readonly circuit: CircuitBreaker;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  /** Sends the request, on a connection of its own when `isFresh`. */
  exchange(call: HookCall, isFresh: boolean, done: (result: ExchangeResult) => void): HttpExchange;
  /** Called once, when the call is over and has given back what it held. */
  finished(pending: PendingCall, result: HookCallResult): void;
}

/**
 * One call on its way: after `start` it waits for a connection, asks the circuit, sends, perhaps sends again, and
 * ends exactly once, at the latest at its deadline.
 *
 *   waiting ──begin──▶ sending ──answer, trouble──▶ over
 *      └──deadline, client gone, queue full, circuit open──▲
 */
export class PendingCall implements SlotTicket {
  readonly bytes: number;
  readonly #call: HookCall;
  readonly #host: PendingCallHost;
  readonly #resolve: (result: HookCallResult) => void;
  #deadline: NodeJS.Timeout | undefined;
  #state: 'waiting' | 'sending' | 'over' = 'waiting';
  #permit: CircuitPermit | undefined;
  #exchange: HttpExchange | undefined;
  #hasRepeated = false;

  constructor(call: HookCall, host: PendingCallHost, resolve: (result: HookCallResult) => void) {
    this.#call = call;
    this.#host = host;
    this.#resolve = resolve;
    this.bytes = call.body.byteLength;
  }

  start(): void {
    const { signal } = this.#call;
    if (signal.aborted) return this.#finish(canceled);
    this.#deadline = setTimeout(() => this.#expire(), this.#host.timeoutMs);
    signal.addEventListener('abort', this.cancel, { once: true });
    if (!this.#host.slots.enter(this)) this.#finish(queueFull);
  }

  begin(): void {
    this.#state = 'sending';
    this.#permit = this.#host.circuit.enter();
    if (this.#permit === undefined) this.#finish(circuitOpen);
    else this.#send(false);
  }

  /** Nobody wants the answer any more. */
  readonly cancel = (): void => {
    this.#finish(canceled);
  };

  #send(isFresh: boolean): void {
    this.#exchange = this.#host.exchange(this.#call, isFresh, (result) => this.#take(result));
  }

  #take(result: ExchangeResult): void {
    if (result.kind === 'response') {
      this.#finish(result);
    } else if (result.kind === 'too_long') {
      this.#finish({
        kind: 'failure',
        outcome: 'invalid_answer',
        cause: `the answer is longer than ${this.#host.maxResponseBytes} bytes`,
        advice: 'Answer hooks with what they ask for only.',
      });
    } else if (result.wasStale && this.#call.isRepeatable && !this.#hasRepeated) {
      this.#hasRepeated = true;
      this.#send(true);
    } else {
      this.#finish({ kind: 'failure', outcome: 'network', ...describeNetworkError(result.error) });
    }
  }

  #expire(): void {
    const { timeoutMs } = this.#host;
    const isWaiting = this.#state === 'waiting';
    this.#finish({
      kind: 'failure',
      outcome: 'timeout',
      cause: isWaiting
        ? `no connection to the backend became free within ${timeoutMs} ms`
        : `no complete answer within ${timeoutMs} ms`,
      advice: isWaiting
        ? 'The backend is too slow for this many calls: make it faster or raise max_connections.'
        : 'Make the backend faster, or raise the timeout of this hook.',
    });
  }

  #finish(result: HookCallResult): void {
    if (this.#state === 'over') return;
    const wasWaiting = this.#state === 'waiting';
    this.#state = 'over';
    clearTimeout(this.#deadline);
    this.#call.signal.removeEventListener('abort', this.cancel);
    this.#exchange?.destroy();
    // The verdict comes first, so that the next call in the queue meets the circuit's new state.
    if (this.#permit !== undefined) judge(this.#host.circuit, this.#permit, result);
    if (wasWaiting) this.#host.slots.giveUp(this);
    else this.#host.slots.leave();
    this.#host.finished(this, result);
    this.#resolve(result);
  }
}

/** Statuses of a gateway that stands before a backend that is down. */
const endpointDownStatuses: ReadonlySet<number> = new Set([502, 503, 504]);

function judge(circuit: CircuitBreaker, permit: CircuitPermit, result: HookCallResult): void {
  if (result.kind === 'response') {
    if (endpointDownStatuses.has(result.status)) circuit.failed(permit);
    else circuit.succeeded();
  } else if (result.outcome === 'canceled') {
    circuit.abandoned(permit);
  } else if (result.outcome === 'invalid_answer') {
    circuit.succeeded();
  } else {
    circuit.failed(permit);
  }
}

const canceled: HookCallFailure = {
  kind: 'failure',
  outcome: 'canceled',
  cause: 'the client went away',
  advice: '',
};

export const circuitOpen: HookCallFailure = {
  kind: 'failure',
  outcome: 'circuit_open',
  cause: 'the endpoint does not work at the moment',
  advice: 'See the line that told when it began to fail.',
};

const queueFull: HookCallFailure = {
  kind: 'failure',
  outcome: 'queue_full',
  cause: 'too many calls wait for the backend already',
  advice:
    'The backend is too slow for this many calls: make it faster, raise max_connections, or use tokens, which need no call for each connection.',
};
