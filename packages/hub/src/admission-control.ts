import type { Clock } from './clock.ts';
import type { ClientOptions } from './options.ts';
import type { HttpRefusal } from './transports/http-refusal.ts';

/** Bounds how many connections a node has and how fast new ones come. */
export class AdmissionControl {
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  #tokens: number;
  #refilledAt: number;

  constructor(options: ClientOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#tokens = options.connectionRateLimit;
    this.#refilledAt = clock.monotonic();
  }

  /** Counts one attempt; undefined lets it in. */
  refusal(connections: number): HttpRefusal | undefined {
    const { connectionLimit, connectionRateLimit } = this.#options;
    if (connectionLimit > 0 && connections >= connectionLimit) {
      return {
        status: 503,
        code: 'connection_limit',
        message: "this node has as many connections as 'client.connection_limit' allows",
        headers: { 'Retry-After': '5' },
      };
    }
    if (connectionRateLimit > 0 && !this.#takeToken(connectionRateLimit)) {
      return {
        status: 503,
        code: 'connection_rate_limit',
        message: "connections come faster than 'client.connection_rate_limit' allows; try again",
        headers: { 'Retry-After': '1' },
      };
    }
    return undefined;
  }

  #takeToken(perSecond: number): boolean {
    const now = this.#clock.monotonic();
    const earned = ((now - this.#refilledAt) / 1000) * perSecond;
    this.#tokens = Math.min(perSecond, this.#tokens + earned);
    this.#refilledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
