import { disconnects } from '@holdfast/protocol';
import type { Session } from './session.ts';

/**
 * Keeps one connection provably alive: a ping each interval, the first after half to a whole one, and
 * a pong in time or the connection ends with 3012. Times are `Clock.monotonic` milliseconds.
 */
export class Pinger {
  readonly #session: Session;
  #pingAt = Infinity;
  #pongBy = Infinity;

  constructor(session: Session) {
    this.#session = session;
  }

  /** When {@link wake} wants to be called. */
  get deadline(): number {
    return Math.min(this.#pingAt, this.#pongBy);
  }

  start(now: number): void {
    const { hub, transport } = this.#session;
    const { options, random } = hub;
    if (options.pingIntervalMs === 0) return;
    this.#pingAt = now + (transport.quietMs || options.pingIntervalMs * (0.5 + random() / 2));
  }

  wake(now: number): void {
    const { hub, transport, encoder } = this.#session;
    if (now >= this.#pongBy) {
      this.#session.close(disconnects.noPong);
      return;
    }
    if (now < this.#pingAt) return;
    this.#pingAt = now + hub.options.pingIntervalMs;
    if (transport.pingsNatively) transport.ping();
    else this.#session.enqueue(encoder.ping);
    if (this.expectsPong) this.#pongBy = now + hub.options.pongTimeoutMs;
  }

  /** Unidirectional clients have no way to answer a ping that is not native to their transport. */
  get expectsPong(): boolean {
    const { transport } = this.#session;
    return transport.pingsNatively || !transport.info.unidirectional;
  }

  /** A pong nobody asked for breaks the protocol, unless the transport itself may send them freely. */
  ponged(): void {
    if (this.#pongBy !== Infinity) this.#pongBy = Infinity;
    else if (!this.#session.transport.pingsNatively) this.#session.close(disconnects.badRequest);
  }
}
