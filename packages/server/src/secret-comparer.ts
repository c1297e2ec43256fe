import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Compares secrets in a time that says nothing about them: both sides are hashed with a key made at
 * start, so neither length nor common prefix shows.
 */
export class SecretComparer {
  readonly #hashKey = randomBytes(32);
  readonly #expected: Buffer;

  /** @param secret - must not be empty: an empty one would be matched by a missing header. */
  constructor(secret: string) {
    if (secret === '') throw new TypeError('an empty secret protects nothing');
    this.#expected = this.#hash(secret);
  }

  matches(candidate: string): boolean {
    return timingSafeEqual(this.#hash(candidate), this.#expected);
  }

  #hash(text: string): Buffer {
    return createHmac('sha256', this.#hashKey).update(text).digest();
  }
}
