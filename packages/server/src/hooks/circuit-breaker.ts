import type { Clock } from '@holdfast/hub';
import type { CircuitBreakerOptions } from './options.ts';

export type CircuitState = 'closed' | 'open' | 'half_open';

/**
 * Permission for one call; it must come back through exactly one of the breaker's result methods.
 * 0 for ordinary calls, a serial number for probes.
 */
export type CircuitPermit = number;

/**
 * Stops calling an endpoint that does not answer, so that its clients get their error at once instead
 * of after a timeout, and so that it is not buried in retries while it comes back.
 *
 *   closed ──failures in a row──▶ open ──time passed, next call──▶ half_open
 *     ▲ ▲                          ▲                               │    │
 *     │ └────── late success ──────┘◀──────── probe failed ────────┘    │
 *     └───────────────────────────── probe succeeded ───────────────────┘
 *
 * `circuit-breaker.spec.md` has the complete table.
 */
export class CircuitBreaker {
  readonly #options: Required<CircuitBreakerOptions>;
  readonly #clock: Clock;
  #state: CircuitState = 'closed';
  #failures = 0;
  #openMs = 0;
  /** The newest probe; results of older ones say nothing any more. */
  #probe: CircuitPermit = 0;
  /** `Clock.monotonic` milliseconds. */
  #probeAt = 0;

  constructor(options: Required<CircuitBreakerOptions>, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Milliseconds until the next probe is allowed; 0 unless the circuit is open. */
  get retryAfterMs(): number {
    return this.#state === 'open' ? Math.max(0, this.#probeAt - this.#clock.monotonic()) : 0;
  }

  /** Whether {@link enter} would refuse now. */
  get refuses(): boolean {
    if (this.#state === 'closed') return false;
    return this.#state === 'half_open' || this.#clock.monotonic() < this.#probeAt;
  }

  /** Permits a call, or answers undefined when it must not be made. */
  enter(): CircuitPermit | undefined {
    if (this.#state === 'closed') return 0;
    if (this.refuses) return undefined;
    this.#state = 'half_open';
    this.#probe += 1;
    return this.#probe;
  }

  /** The endpoint answered. Whatever the state, that proves it works. */
  succeeded(): void {
    this.#state = 'closed';
    this.#failures = 0;
    this.#openMs = 0;
  }

  failed(permit: CircuitPermit): void {
    if (this.#state === 'closed') {
      this.#failures += 1;
      const { failureThreshold } = this.#options;
      if (failureThreshold > 0 && this.#failures >= failureThreshold) this.#open();
    } else if (this.#state === 'half_open' && permit === this.#probe) {
      this.#open();
    }
  }

  /** The call ended without saying anything about the endpoint: its client went away. */
  abandoned(permit: CircuitPermit): void {
    if (this.#state === 'half_open' && permit === this.#probe) this.#state = 'open';
  }

  #open(): void {
    const { openMs, maxOpenMs } = this.#options;
    this.#openMs = Math.min(this.#openMs === 0 ? openMs : this.#openMs * 2, maxOpenMs);
    this.#probeAt = this.#clock.monotonic() + this.#openMs;
    this.#state = 'open';
  }
}
