import type {
  MapBroker,
  MapBrokerEvents,
  MapChangeOptions,
  MapChangeResult,
  MapPublication,
  MapPublishOptions,
  MapRetention,
  MapStateFilter,
  MapStatePage,
  MapStats,
  MapStreamFilter,
  MapStreamPage,
} from '../ports/map-broker.ts';
import { bytesOf, ExchangeNode } from './exchange-node.ts';
import {
  MemoryMapExchange,
  type MapDelivery,
  type MemoryMapExchangeOptions,
  type MemoryMapUsage,
} from './memory-map-exchange.ts';

/** Options of a {@link MemoryMapBroker}. */
export interface MemoryMapBrokerOptions extends MemoryMapExchangeOptions {
  /** State shared with other hubs of this process. @defaultValue a state of its own */
  readonly exchange?: MemoryMapExchange;
}

/**
 * The map broker of a hub that runs alone: maps live in this process. They end with it, which clients
 * are told by a new epoch, unless there is a journal: then those of durable channels survive whatever
 * the journal does, and all others a stop in good order. Events are delivered before the change that
 * causes them resolves; in durable channels after the change is in the journal.
 */
export class MemoryMapBroker implements MapBroker {
  readonly #exchange: MemoryMapExchange;
  readonly #node: ExchangeNode<MapDelivery>;

  constructor({ exchange, ...options }: MemoryMapBrokerOptions = {}) {
    this.#exchange = exchange ?? new MemoryMapExchange(options);
    this.#node = new ExchangeNode(this.#exchange);
  }

  /** What the broker holds; shared when the state is. */
  usage(): MemoryMapUsage {
    return this.#exchange.usage();
  }

  async start(events: MapBrokerEvents): Promise<void> {
    await this.#node.start(({ channel, publication, isInterrupted }) => {
      if (publication) events.publication(publication);
      else if (isInterrupted) events.interrupted([channel]);
      else events.cleared(channel);
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
    publication: MapPublication,
    options: MapPublishOptions,
  ): Promise<MapChangeResult> {
    return this.#node.perform(
      channel,
      () => this.#exchange.publish(channel, publication, options),
      { bytes: bytesOf(publication) },
    );
  }

  async remove(channel: string, key: string, options: MapChangeOptions): Promise<MapChangeResult> {
    return this.#node.perform(channel, () => this.#exchange.remove(channel, key, options));
  }

  async touch(channel: string, key: string, retention: MapRetention): Promise<boolean> {
    return this.#node.perform(channel, () => this.#exchange.touch(channel, key, retention));
  }

  async readState(channel: string, filter: MapStateFilter): Promise<MapStatePage> {
    return this.#read(channel, () => this.#exchange.readState(channel, filter));
  }

  async readStream(channel: string, filter: MapStreamFilter): Promise<MapStreamPage> {
    return this.#read(channel, () => this.#exchange.readStream(channel, filter));
  }

  async stats(channel: string): Promise<MapStats> {
    return this.#read(channel, () => this.#exchange.stats(channel));
  }

  #read<T>(channel: string, operation: () => T): T | Promise<T> {
    return this.#node.perform(channel, operation, { isRead: true });
  }

  async clear(channel: string): Promise<void> {
    await this.#node.perform(channel, () => this.#exchange.clear(channel));
  }

  problem(): string | undefined {
    return this.#node.isStarted ? undefined : 'the memory map broker is not started';
  }

  /** What does not work although the broker serves. */
  concern(): string | undefined {
    return this.#exchange.journaling?.concern();
  }

  async close(): Promise<void> {
    await this.#node.close();
  }
}
