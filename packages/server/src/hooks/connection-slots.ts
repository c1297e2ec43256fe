/** Something that waits for one of the connections to an endpoint. */
export interface SlotTicket {
  /** Memory that it holds while it waits. */
  readonly bytes: number;
  /** Called once, when it has a connection to itself; must lead to {@link ConnectionSlots.leave}. */
  begin(): void;
}

export interface ConnectionSlotsOptions {
  readonly maxActive: number;
  readonly maxWaiting: number;
  readonly maxWaitingBytes: number;
}

/** A bounded number of connections, and a bounded first-come-first-served queue before them. */
export class ConnectionSlots {
  readonly #options: ConnectionSlotsOptions;
  readonly #waiting = new Set<SlotTicket>();
  /** Kept from call to call: a new iterator would pass all places that were emptied before. */
  #inOrder = this.#waiting.values();
  #waitingBytes = 0;
  #active = 0;
  #isHandingOver = false;

  constructor(options: ConnectionSlotsOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#active;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Begins now or later. @returns false when the queue is full; the ticket will not begin then. */
  enter(ticket: SlotTicket): boolean {
    const { maxActive, maxWaiting, maxWaitingBytes } = this.#options;
    if (this.#active < maxActive) {
      this.#active += 1;
      ticket.begin();
      return true;
    }
    if (this.#waiting.size >= maxWaiting) return false;
    if (this.#waitingBytes + ticket.bytes > maxWaitingBytes) return false;
    this.#waiting.add(ticket);
    this.#waitingBytes += ticket.bytes;
    return true;
  }

  /** Stops waiting. @returns false when the ticket has begun already, or never entered. */
  giveUp(ticket: SlotTicket): boolean {
    if (!this.#waiting.delete(ticket)) return false;
    this.#waitingBytes -= ticket.bytes;
    return true;
  }

  /** Frees the connection of a ticket that began; the longest waiting one begins. */
  leave(): void {
    this.#active -= 1;
    // A ticket may leave while it begins. The loop, not the stack, then takes the next.
    if (this.#isHandingOver) return;
    this.#isHandingOver = true;
    while (this.#active < this.#options.maxActive) {
      const next = this.#longestWaiting();
      if (next === undefined) break;
      this.giveUp(next);
      this.#active += 1;
      next.begin();
    }
    this.#isHandingOver = false;
  }

  #longestWaiting(): SlotTicket | undefined {
    if (this.#waiting.size === 0) return undefined;
    const { value } = this.#inOrder.next();
    if (value !== undefined) return value;
    // An iterator that has come to the end does not see what is added later.
    this.#inOrder = this.#waiting.values();
    return this.#inOrder.next().value;
  }
}
