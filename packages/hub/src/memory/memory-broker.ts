import type { ClientInfo, Publication } from '@holdfast/protocol';
import {
  MemoryExchange,
  type Delivery,
  type MemoryExchangeOptions,
  type MemoryUsage,
} from './memory-exchange.ts';
import type {
  Broker,
  BrokerEvents,
  BrokerPublishOptions,
  BrokerPublishResult,
  HistoryFilter,
  HistoryPage,
} from '../ports/broker.ts';

export interface MemoryBrokerOptions extends MemoryExchangeOptions {
  /** State shared with other hubs of this process. @defaultValue a state of its own */
  readonly exchange?: MemoryExchange;
}

/**
 * The broker of a hub that runs alone: streams live in this process and end with it, which clients
 * are told by a new epoch. Events are delivered before the publish that causes them resolves.
 */
export class MemoryBroker implements Broker {
  readonly #exchange: MemoryExchange;
  readonly #channels = new Set<string>();
  #detach: (() => void) | undefined;

  constructor({ exchange, ...options }: MemoryBrokerOptions = {}) {
    this.#exchange = exchange ?? new MemoryExchange(options);
  }

  /** What the broker holds; shared when the state is. */
  usage(): MemoryUsage {
    return this.#exchange.usage();
  }

  async start(events: BrokerEvents): Promise<void> {
    this.#detach?.();
    this.#detach = this.#exchange.attach((delivery) => this.#receive(events, delivery));
  }

  async subscribe(channel: string): Promise<void> {
    this.#channels.add(channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#channels.delete(channel);
  }

  async publish(
    channel: string,
    publication: Publication,
    options: BrokerPublishOptions,
  ): Promise<BrokerPublishResult> {
    return this.#exchange.publish(channel, publication, options);
  }

  async publishJoin(channel: string, info: ClientInfo): Promise<void> {
    this.#exchange.deliver({ channel, join: info });
  }

  async publishLeave(channel: string, info: ClientInfo): Promise<void> {
    this.#exchange.deliver({ channel, leave: info });
  }

  async history(channel: string, filter: HistoryFilter): Promise<HistoryPage> {
    return this.#exchange.history(channel, filter);
  }

  async removeHistory(channel: string): Promise<void> {
    this.#exchange.removeHistory(channel);
  }

  problem(): string | undefined {
    return this.#detach ? undefined : 'the memory broker is not started';
  }

  async close(): Promise<void> {
    this.#detach?.();
    this.#detach = undefined;
    this.#channels.clear();
  }

  #receive(events: BrokerEvents, { channel, publication, join, leave }: Delivery): void {
    if (!this.#channels.has(channel)) return;
    if (publication) events.publication(publication);
    else if (join) events.join(channel, join);
    else if (leave) events.leave(channel, leave);
  }
}
