import type { Clock } from './clock.ts';
import type { ClientOptions } from './client-options.ts';
import { createRate, type Rate, TokenBucket } from './token-bucket.ts';
import type { HttpRefusal } from './transports/http-refusal.ts';

/** Bounds how many connections a node has and how fast new ones come. */
export class AdmissionControl {
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  readonly #rate: Rate | undefined;
  readonly #bucket = new TokenBucket();

  constructor(options: ClientOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#rate = createRate(options.connectionRateLimit, options.connectionRateLimit);
  }

  /** Counts one attempt; undefined lets it in. */
  refusal(connections: number): HttpRefusal | undefined {
    const { connectionLimit } = this.#options;
    if (connectionLimit > 0 && connections >= connectionLimit) {
      return {
        status: 503,
        code: 'connection_limit',
        message: "this node has as many connections as 'client.connection_limit' allows",
        headers: { 'Retry-After': '5' },
      };
    }
    if (this.#rate !== undefined && !this.#bucket.take(this.#rate, this.#clock.monotonic())) {
      return {
        status: 503,
        code: 'connection_rate_limit',
        message: "connections come faster than 'client.connection_rate_limit' allows; try again",
        headers: { 'Retry-After': '1' },
      };
    }
    return undefined;
  }
}
