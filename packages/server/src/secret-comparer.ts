import { hash, timingSafeEqual } from 'node:crypto';

/**
 * Compares secrets in a time that says nothing about them: what is compared are hashes, so neither
 * length nor common prefix shows.
 */
export class SecretComparer {
  readonly #expected: Buffer;

  /** @param secret - must not be empty: an empty one would be matched by a missing header. */
  constructor(secret: string) {
    if (secret === '') throw new TypeError('an empty secret protects nothing');
    this.#expected = digest(secret);
  }

  matches(candidate: string): boolean {
    return timingSafeEqual(digest(candidate), this.#expected);
  }
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
