import type { Journaling } from './journaling.ts';
import type { OperationKind } from './journal-writer.ts';

interface Exchange<Delivery> {
  readonly deliveries: { readonly receiverCount: number };
  readonly journaling: Journaling<Delivery> | undefined;
  attach(receive: (delivery: Delivery) => void): () => void;
}

/**
 * One node at an exchange: which channels it hears of, and the way to operations that may have to
 * wait for the journal. The first node to start opens the journal, the last one to close closes it.
 */
export class ExchangeNode<Delivery extends { readonly channel: string }> {
  readonly #exchange: Exchange<Delivery>;
  readonly #channels = new Set<string>();
  #detach: (() => void) | undefined;

  constructor(exchange: Exchange<Delivery>) {
    this.#exchange = exchange;
  }

  get isStarted(): boolean {
    return this.#detach !== undefined;
  }

  /** @throws when the journal cannot be opened */
  async start(receive: (delivery: Delivery) => void): Promise<void> {
    await this.#exchange.journaling?.open();
    this.#detach?.();
    this.#detach = this.#exchange.attach((delivery) => {
      if (this.#channels.has(delivery.channel)) receive(delivery);
    });
  }

  subscribe(channel: string): void {
    this.#channels.add(channel);
  }

  unsubscribe(channel: string): void {
    this.#channels.delete(channel);
  }

  /** As {@link Journaling.perform}; at once when there is no journal. */
  perform<T>(channel: string, operation: () => T, kind?: OperationKind): T | Promise<T> {
    const { journaling } = this.#exchange;
    return journaling ? journaling.perform(channel, operation, kind) : operation();
  }

  async close(): Promise<void> {
    const { deliveries, journaling } = this.#exchange;
    this.#detach?.();
    this.#detach = undefined;
    this.#channels.clear();
    if (deliveries.receiverCount === 0) await journaling?.close();
  }
}

/** A publication that waits is charged with its data. */
export function bytesOf({ data }: { readonly data?: Uint8Array }): number {
  return 300 + (data?.length ?? 0);
}
