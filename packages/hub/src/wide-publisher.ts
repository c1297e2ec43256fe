import { type ReplyError, replyErrors } from '@holdfast/protocol';
import type { Cluster } from './cluster.ts';
import type { PublishOptions } from './hub.ts';
import type { HubContext } from './hub-context.ts';
import { fromJsonBytes, parseJson, toJsonBytes } from './json-bytes.ts';
import { SharedPush } from './message-encoder.ts';
import type { BrokerPublishResult } from './ports/broker.ts';
import { isRefusal } from './refusal.ts';

/** Most channels that one publish to a pattern may reach. */
export const maxPatternChannels = 10_000;

/** Longest message to everybody in bytes: every connection pays for it. */
const maxMessageToAllBytes = 65_536;

type PublishingHub = Pick<HubContext, 'sessions' | 'namespaces'> & {
  channels(pattern: string): Promise<ReadonlyMap<string, unknown>>;
  broadcast(
    channels: readonly string[],
    data: Uint8Array,
    options: PublishOptions,
  ): Promise<readonly (BrokerPublishResult | ReplyError)[]>;
};

/** Reaches many at once: the channels of a pattern, or every connection of every node. */
export class WidePublisher {
  readonly #hub: PublishingHub;
  readonly #cluster: Cluster;

  constructor(hub: PublishingHub, cluster: Cluster) {
    this.#hub = hub;
    this.#cluster = cluster;
    cluster.handle('message_to_all', (data) => toJsonBytes(this.#messageHere(data)));
  }

  async publishToPattern(
    pattern: string,
    data: Uint8Array,
    options: PublishOptions,
  ): Promise<ReadonlyMap<string, BrokerPublishResult | ReplyError>> {
    if (pattern === '') throw replyErrors.badRequest;
    const active = await this.#hub.channels(pattern);
    const channels = [...active.keys()].filter((channel) => this.#isStream(channel));
    if (channels.length > maxPatternChannels) throw replyErrors.limitExceeded;
    const results = await this.#hub.broadcast(channels, data, options);
    return new Map(results.map((result, index) => [channels[index] ?? '', result]));
  }

  #isStream(channel: string): boolean {
    const rules = this.#hub.namespaces.resolve(channel);
    return !isRefusal(rules) && rules.options.subscriptionType === 'stream';
  }

  async messageToAll(data: Uint8Array): Promise<number> {
    if (data.length > maxMessageToAllBytes || !isJson(data)) throw replyErrors.badRequest;
    const answers = await this.#cluster.askAll('message_to_all', data);
    return answers.reduce((sum, answer) => sum + Number(fromJsonBytes(answer)), 0);
  }

  message(client: string, data: Uint8Array): boolean {
    if (data.length > maxMessageToAllBytes || !isJson(data)) throw replyErrors.badRequest;
    const session = this.#hub.sessions.byClient(client);
    if (session?.state !== 'connected') return false;
    session.deliverPush(new SharedPush({ message: { data } }));
    return true;
  }

  #messageHere(data: Uint8Array): number {
    const push = new SharedPush({ message: { data } });
    let count = 0;
    for (const session of this.#hub.sessions.values()) {
      if (session.state !== 'connected') continue;
      session.deliverPush(push);
      count += 1;
    }
    return count;
  }
}

/** Anything else would end the connections of JSON clients. */
function isJson(data: Uint8Array): boolean {
  return parseJson(data) !== undefined;
}
