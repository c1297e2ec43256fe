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
import {
  MemoryMapExchange,
  type MapDelivery,
  type MemoryMapExchangeOptions,
  type MemoryMapUsage,
} from './memory-map-exchange.ts';

export interface MemoryMapBrokerOptions extends MemoryMapExchangeOptions {
  /** State shared with other hubs of this process. @defaultValue a state of its own */
  readonly exchange?: MemoryMapExchange;
}

/**
 * The map broker of a hub that runs alone: maps live in this process and end with it, which clients
 * are told by a new epoch. Events are delivered before the change that causes them resolves.
 */
export class MemoryMapBroker implements MapBroker {
  readonly #exchange: MemoryMapExchange;
  readonly #channels = new Set<string>();
  #detach: (() => void) | undefined;

  constructor({ exchange, ...options }: MemoryMapBrokerOptions = {}) {
    this.#exchange = exchange ?? new MemoryMapExchange(options);
  }

  /** What the broker holds; shared when the state is. */
  usage(): MemoryMapUsage {
    return this.#exchange.usage();
  }

  async start(events: MapBrokerEvents): Promise<void> {
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
    publication: MapPublication,
    options: MapPublishOptions,
  ): Promise<MapChangeResult> {
    return this.#exchange.publish(channel, publication, options);
  }

  async remove(channel: string, key: string, options: MapChangeOptions): Promise<MapChangeResult> {
    return this.#exchange.remove(channel, key, options);
  }

  async touch(channel: string, key: string, retention: MapRetention): Promise<boolean> {
    return this.#exchange.touch(channel, key, retention);
  }

  async readState(channel: string, filter: MapStateFilter): Promise<MapStatePage> {
    return this.#exchange.readState(channel, filter);
  }

  async readStream(channel: string, filter: MapStreamFilter): Promise<MapStreamPage> {
    return this.#exchange.readStream(channel, filter);
  }

  async stats(channel: string): Promise<MapStats> {
    return this.#exchange.stats(channel);
  }

  async clear(channel: string): Promise<void> {
    this.#exchange.clear(channel);
  }

  problem(): string | undefined {
    return this.#detach ? undefined : 'the memory map broker is not started';
  }

  async close(): Promise<void> {
    this.#detach?.();
    this.#detach = undefined;
    this.#channels.clear();
  }

  #receive(events: MapBrokerEvents, { channel, publication }: MapDelivery): void {
    if (!this.#channels.has(channel)) return;
    if (publication) events.publication(publication);
    else events.cleared(channel);
  }
}
