import { replyErrors } from '@holdfast/protocol';
import { isChannelKey } from '../channel-key.ts';
import type { HistoryOptions, MapPublishInput, MapStateOptions } from '../hub.ts';
import type { HubContext } from '../hub-context.ts';
import type { ChannelRules, Namespaces } from '../namespaces.ts';
import { toBytes } from '../payload.ts';
import type { Position } from '../ports/broker.ts';
import type {
  MapBroker,
  MapChangeResult,
  MapStatePage,
  MapStats,
  MapStreamPage,
} from '../ports/map-broker.ts';
import { contractProblem, type PublicationContract } from '../publication-contract.ts';
import { isSameEpoch } from '../recovery.ts';
import { isRefusal } from '../refusal.ts';

const defaultPageSize = 100;

/** What the server itself does with map channels; permissions of clients do not count here. */
export class MapOperations {
  readonly #broker: MapBroker;
  readonly #namespaces: Namespaces;
  readonly #contract: PublicationContract | undefined;

  constructor({
    mapBroker,
    namespaces,
    contract,
  }: Pick<HubContext, 'mapBroker' | 'namespaces' | 'contract'>) {
    this.#broker = mapBroker;
    this.#namespaces = namespaces;
    this.#contract = contract;
  }

  async publish(channel: string, input: MapPublishInput): Promise<MapChangeResult> {
    const { retention, options } = this.#rules(channel);
    const { key, data, streamData, tags, score, delta = false, ...rest } = input;
    requireKey(key);
    const bytes = toBytes(data);
    const streamBytes = streamData === undefined ? undefined : toBytes(streamData);
    for (const value of streamBytes === undefined ? [bytes] : [bytes, streamBytes]) {
      const problem = await contractProblem(this.#contract, channel, value);
      if (problem !== undefined) throw problem;
    }
    return this.#broker.publish(
      channel,
      {
        key,
        data: bytes,
        ...(tags === undefined ? {} : { tags }),
        ...(score === undefined ? {} : { score }),
        ...(rest.version === undefined ? {} : { version: rest.version }),
      },
      {
        ...rest,
        retention,
        withPrevious: delta || options.deltaPublish,
        ...(streamBytes === undefined ? {} : { streamData: streamBytes }),
      },
    );
  }

  async remove(
    channel: string,
    key: string,
    options: { readonly idempotencyKey?: string; readonly expectedPosition?: Position },
  ): Promise<MapChangeResult> {
    const { retention } = this.#rules(channel);
    requireKey(key);
    return this.#broker.remove(channel, key, { ...options, retention });
  }

  async readState(
    channel: string,
    { limit = defaultPageSize, until, ...filter }: MapStateOptions,
  ): Promise<MapStatePage> {
    const { retention } = this.#rules(channel);
    const page = await this.#broker.readState(channel, {
      ...filter,
      limit,
      retention,
      ...(until === undefined ? {} : { untilOffset: until.offset }),
    });
    requireEpoch(until, page.position);
    return page;
  }

  async readStream(
    channel: string,
    { limit = 0, since, reverse = false }: HistoryOptions,
  ): Promise<MapStreamPage> {
    const { retention } = this.#rules(channel);
    const page = await this.#broker.readStream(channel, {
      limit,
      reverse,
      retention,
      ...(since === undefined ? {} : { sinceOffset: since.offset }),
    });
    requireEpoch(since, page.position);
    return page;
  }

  async stats(channel: string): Promise<MapStats> {
    this.#rules(channel);
    return this.#broker.stats(channel);
  }

  async clear(channel: string): Promise<void> {
    this.#rules(channel);
    await this.#broker.clear(channel);
  }

  #rules(channel: string): ChannelRules {
    const rules = this.#namespaces.resolve(channel);
    if (isRefusal(rules)) throw rules;
    if (!rules.isMap) throw replyErrors.badRequest;
    return rules;
  }
}

function requireKey(key: string): void {
  if (!isChannelKey(key)) throw replyErrors.badRequest;
}

function requireEpoch(asked: Position | undefined, top: Position | undefined): void {
  if (asked === undefined) return;
  if (top === undefined || !isSameEpoch(asked.epoch, top.epoch)) {
    throw replyErrors.unrecoverablePosition;
  }
}
