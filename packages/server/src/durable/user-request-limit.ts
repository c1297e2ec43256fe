import { HttpRefusal } from '@holdfast/http';
import {
  type Clock,
  createRate,
  type Rate,
  systemClock,
  TokenBucket,
  UserMeters,
} from '@holdfast/hub';

/** How many requests a user may send, and by which clock. */
export interface UserRequestLimitOptions {
  /** Over time. 0: no limit. */
  readonly perSecond: number;
  /** At once. */
  readonly burst: number;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
}

/**
 * How fast each user may ask this node for something over plain HTTP, all that is for users together,
 * so that one of them cannot keep the store from the others.
 */
export class UserRequestLimit {
  readonly #rate: Rate | undefined;
  readonly #clock: Clock;
  readonly #buckets = new UserMeters(() => new TokenBucket());
  #refused = 0;

  constructor({ perSecond, burst, clock = systemClock }: UserRequestLimitOptions) {
    this.#rate = createRate(perSecond, burst);
    this.#clock = clock;
  }

  /** Requests that were refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Users whose speed is remembered. */
  get userCount(): number {
    return this.#buckets.size;
  }

  /**
   * Counts a request.
   * @throws HttpRefusal 429 `too_many_requests` with `Retry-After`, beyond the limit; it costs nothing
   */
  readonly admit = (user: string): void => {
    if (this.#rate === undefined) return;
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.of(user, now);
    if (bucket.take(this.#rate, now)) return;
    this.#refused += 1;
    const seconds = Math.max(1, Math.ceil(bucket.waitMs(this.#rate, now) / 1_000));
    throw new HttpRefusal(
      {
        status: 429,
        code: 'too_many_requests',
        retryable: true,
        headers: { 'retry-after': String(seconds) },
      },
      `this user sends requests faster than client.http_rate_limit allows; try again in ${seconds} s`,
    );
  };
}
