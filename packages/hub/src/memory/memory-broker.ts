import type { ClientInfo, Publication } from '@holdfast/protocol';
import { bytesOf, ExchangeNode } from './exchange-node.ts';
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

/** Options of a {@link MemoryBroker}. */
export interface MemoryBrokerOptions extends MemoryExchangeOptions {
  /** State shared with other hubs of this process. @defaultValue a state of its own */
  readonly exchange?: MemoryExchange;
}

/**
 * The broker of a hub that runs alone: streams live in this process. They end with it, which clients
 * are told by a new epoch, unless there is a journal: then those of durable channels survive whatever
 * the journal does, and all others a stop in good order. Events are delivered before the publish that
 * causes them resolves; in durable channels after the publication is in the journal.
 */
export class MemoryBroker implements Broker {
  readonly #exchange: MemoryExchange;
  readonly #node: ExchangeNode<Delivery>;

  constructor({ exchange, ...options }: MemoryBrokerOptions = {}) {
    this.#exchange = exchange ?? new MemoryExchange(options);
    this.#node = new ExchangeNode(this.#exchange);
  }

  /** What the broker holds; shared when the state is. */
  usage(): MemoryUsage {
    return this.#exchange.usage();
  }

  async start(events: BrokerEvents): Promise<void> {
    await this.#node.start(({ channel, publication, join, leave, isInterrupted }) => {
      if (publication) events.publication(publication);
      else if (join) events.join(channel, join);
      else if (leave) events.leave(channel, leave);
      else if (isInterrupted) events.interrupted([channel]);
    });
  }

  async subscribe(channel: string): Promise<void> {
    this.#node.subscribe(channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#node.unsubscribe(channel);
  }

  async publish(
    channel: string,
    publication: Publication,
    options: BrokerPublishOptions,
  ): Promise<BrokerPublishResult> {
    return this.#node.perform(
      channel,
      () => this.#exchange.publish(channel, publication, options),
      { bytes: bytesOf(publication) },
    );
  }

  async publishJoin(channel: string, info: ClientInfo): Promise<void> {
    this.#exchange.deliver({ channel, join: info });
  }

  async publishLeave(channel: string, info: ClientInfo): Promise<void> {
    this.#exchange.deliver({ channel, leave: info });
  }

  async history(channel: string, filter: HistoryFilter): Promise<HistoryPage> {
    return this.#node.perform(channel, () => this.#exchange.history(channel, filter), {
      isRead: true,
    });
  }

  async removeHistory(channel: string): Promise<void> {
    await this.#node.perform(channel, () => this.#exchange.removeHistory(channel));
  }

  problem(): string | undefined {
    return this.#node.isStarted ? undefined : 'the memory broker is not started';
  }

  /** What does not work although the broker serves. */
  concern(): string | undefined {
    return this.#exchange.journaling?.concern();
  }

  async close(): Promise<void> {
    await this.#node.close();
  }
}
