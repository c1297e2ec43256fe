import type { Environment } from '../environment.ts';

/**
 * The server's time, as far as it can be known here. What the server told is older when it arrives, so
 * that the estimate is never ahead of the server by more than the clock of this machine jumped.
 */
export class ServerClock {
  readonly #environment: Pick<Environment, 'now'>;
  #offsetMs: number | undefined;

  constructor(environment: Pick<Environment, 'now'>) {
    this.#environment = environment;
  }

  /** Unix milliseconds. This machine's own time until the server has told its. */
  now(): number {
    return this.#environment.now() + (this.#offsetMs ?? 0);
  }

  /** This machine's time, to give to {@link answered}. */
  asked(): number {
    return this.#environment.now();
  }

  /** The server told its time in an event, which may have been under way for any time. */
  heard(serverNow: number): void {
    const atLeast = serverNow - this.#environment.now();
    this.#offsetMs = Math.max(this.#offsetMs ?? atLeast, atLeast);
  }

  /** The server told its time between a question and now: wrong estimates are mended by this. */
  answered(serverNow: number, askedAt: number): void {
    const atLeast = serverNow - this.#environment.now();
    const atMost = serverNow - askedAt;
    this.#offsetMs = Math.min(Math.max(this.#offsetMs ?? atLeast, atLeast), atMost);
  }
}
