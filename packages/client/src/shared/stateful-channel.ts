import type { Environment } from '../environment.ts';
import { type Backoff, pauseMs } from '../live/backoff.ts';
import type { Position } from '../wire.ts';
import { FollowedChannel, type FollowedChannelLinks } from './followed-channel.ts';
import type { FollowedEvent, WantedChannel } from './messages.ts';

/** The engine's code for an application that could not load its state. */
const getStateErrorCode = 13;

export interface StatefulChannelOptions {
  readonly getState: () => Promise<Position>;
  readonly environment: Environment;
  readonly backoff: Backoff;
}

/**
 * A channel of which this tab's application has the state: loaded first, joined at the position that it
 * is of, and loaded anew when the stream does not reach back to where it was. What happens meanwhile is
 * not heard, since it comes again after that position.
 *
 *   loading ──state──▶ joining ──recovered──▶ live
 *      ▲──────────────── not recovered ────────┘
 */
export class StatefulChannel extends FollowedChannel {
  readonly #options: StatefulChannelOptions;
  #phase: 'loading' | 'joining' | 'live';
  #attempts = 0;
  #isClosed = false;
  #cancelPause: () => void = () => undefined;

  constructor(wanted: WantedChannel, links: FollowedChannelLinks, options: StatefulChannelOptions) {
    super(wanted, links);
    this.#options = options;
    this.#phase = wanted.since === undefined ? 'loading' : 'joining';
  }

  override get wanted(): WantedChannel | undefined {
    return this.#phase === 'loading' ? undefined : super.wanted;
  }

  override open(): void {
    if (this.#phase === 'loading') void this.#load();
    else super.open();
  }

  override close(): void {
    this.#isClosed = true;
    this.#cancelPause();
  }

  override hear(event: FollowedEvent): void {
    if (event.type === 'unsubscribed') this.close();
    else if (this.#phase === 'loading') return;
    else if (event.type === 'subscribed') {
      // What the leader said before it knew of this state: what was published meanwhile was not heard.
      if (this.#phase === 'joining' && event.recovered && !this.isAt(event.position)) return;
      // Without positions there is nothing that a state could be joined to.
      const isJoined = event.recovered || (this.#phase === 'joining' && !event.position);
      if (!isJoined) {
        this.#loadAnew();
        return;
      }
      this.#phase = 'live';
      this.#attempts = 0;
    } else if (event.type === 'publication' && this.#phase === 'joining') return;
    super.hear(event);
  }

  #loadAnew(): void {
    this.#phase = 'loading';
    this.links.report({ type: 'subscribing', code: 0, reason: 'the state is loaded anew' });
    this.#loadLater();
  }

  #loadLater(): void {
    const { environment } = this.#options;
    const delayMs = pauseMs(this.#attempts, this.#options);
    this.#attempts += 1;
    this.#cancelPause = environment.after(delayMs, () => void this.#load());
  }

  async #load(): Promise<void> {
    try {
      const position = await this.#options.getState();
      if (this.#isClosed) return;
      this.startAt(position);
      this.#phase = 'joining';
      super.open();
    } catch (error) {
      if (this.#isClosed) return;
      this.links.report({ type: 'error', code: getStateErrorCode, message: String(error) });
      this.#loadLater();
    }
  }
}
