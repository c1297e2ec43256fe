import type { Clock } from './clock.ts';
import type { OutboxMetrics } from './metrics.ts';

const minBackoffMs = 500;
const maxBackoffMs = 30_000;

export interface BlockedChannelsOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly metrics: Pick<OutboxMetrics, 'blockedChannels'>;
}

/** Channels whose last publish failed: each is left alone for a while, longer each time. */
export class BlockedChannels {
  readonly #options: BlockedChannelsOptions;
  readonly #channels = new Map<string, { readonly attempts: number; readonly until: number }>();

  constructor(options: BlockedChannelsOptions) {
    this.#options = options;
  }

  /** Those that are not to be tried yet. */
  waiting(): readonly string[] {
    const now = this.#options.clock.monotonic();
    return [...this.#channels].flatMap(([channel, { until }]) => (until > now ? [channel] : []));
  }

  /** Tells of a publish that failed. @returns how many in a row there are by now */
  block(channel: string): number {
    const { clock, random } = this.#options;
    const attempts = (this.#channels.get(channel)?.attempts ?? 0) + 1;
    const ceiling = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(attempts, 10));
    const waitMs = minBackoffMs + random() * (ceiling - minBackoffMs);
    this.#channels.set(channel, { attempts, until: clock.monotonic() + waitMs });
    this.#count();
    return attempts;
  }

  /**
   * Tells of a publish that worked. The first one after failures says that the broker is back: the
   * others need not wait.
   * @returns whether it was the first one
   */
  unblock(channel: string): boolean {
    if (!this.#channels.delete(channel)) return false;
    for (const [other, { attempts }] of this.#channels) {
      this.#channels.set(other, { attempts, until: 0 });
    }
    this.#count();
    return true;
  }

  #count(): void {
    this.#options.metrics.blockedChannels = this.#channels.size;
  }
}
