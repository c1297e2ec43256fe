/**
 * Hands events to every attached receiver, synchronously and in one order: a receiver that causes
 * another event while it handles one sees it afterwards, and so do all others.
 */
export class FanOut<Event> {
  readonly #receivers = new Set<(event: Event) => void>();
  readonly #waiting: Event[] = [];
  #isSending = false;
  #captured: Event[] | undefined;

  get receiverCount(): number {
    return this.#receivers.size;
  }

  /** Adds a receiver; returns the function that removes it. */
  attach(receive: (event: Event) => void): () => void {
    // A function of its own, so that the same receiver may be attached twice.
    const receiver = (event: Event): void => receive(event);
    this.#receivers.add(receiver);
    return () => this.#receivers.delete(receiver);
  }

  send(event: Event): void {
    if (this.#captured) {
      this.#captured.push(event);
      return;
    }
    if (this.#isSending) {
      this.#waiting.push(event);
      return;
    }
    this.#isSending = true;
    try {
      let next: Event | undefined = event;
      while (next !== undefined) {
        for (const receive of this.#receivers) receive(next);
        next = this.#waiting.shift();
      }
    } finally {
      this.#isSending = false;
      // Only after a receiver threw, against its contract: the others still get what waits.
      const next = this.#waiting.shift();
      if (next !== undefined) queueMicrotask(() => this.send(next));
    }
  }

  /** The events that `work` sends, which nobody gets yet. */
  capture(work: () => void): readonly Event[] {
    const captured: Event[] = [];
    this.#captured = captured;
    try {
      work();
    } finally {
      this.#captured = undefined;
    }
    return captured;
  }
}
