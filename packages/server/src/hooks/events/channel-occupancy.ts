/** Counts the subscribers of each channel on this node. */
export class ChannelOccupancy {
  readonly #subscribers = new Map<string, number>();

  /** @returns whether the channel was empty before. */
  enter(channel: string): boolean {
    const before = this.#subscribers.get(channel) ?? 0;
    this.#subscribers.set(channel, before + 1);
    return before === 0;
  }

  /** @returns whether the channel is empty now. */
  leave(channel: string): boolean {
    const before = this.#subscribers.get(channel) ?? 0;
    if (before > 1) {
      this.#subscribers.set(channel, before - 1);
      return false;
    }
    this.#subscribers.delete(channel);
    return before === 1;
  }
}
