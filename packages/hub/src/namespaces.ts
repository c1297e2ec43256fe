import { type ReplyError, replyErrors, usersNamedBy } from '@holdfast/protocol';
import {
  type ChannelOptions,
  type ChannelsOptions,
  defaultChannelOptions,
  defaultMapOptions,
  defaultSharedPollOptions,
  type GivenChannelOptions,
  type MapOptions,
} from './channel-options.ts';
import type { MapRetention } from './ports/map-broker.ts';
import { isRefusal } from './refusal.ts';

/** What holds for one channel: its namespace's options, and what its name says about it. */
export interface ChannelRules {
  /** `''` for channels without a namespace. */
  readonly namespace: string;
  readonly options: ChannelOptions;
  /** History metadata outlives history by this much. */
  readonly historyMetaTtlMs: number;
  readonly hasHistory: boolean;
  /** Subscribers get state by key. */
  readonly isMap: boolean;
  /** What map channels keep. */
  readonly retention: MapRetention;
}

interface Namespace {
  readonly rules: ChannelRules;
  readonly pattern: RegExp | undefined;
}

/** What namespaces there are, and what they do. */
export type NamespacesOptions = Pick<ChannelsOptions, 'withoutNamespace' | 'namespaces'>;

/** Printable ASCII. */
const plainName = /^[\x20-\x7e]+$/;

/** Never in a name, whatever `channel_regex` finds: it would travel into logs, keys and other systems. */
const controlCharacter = /\p{Cc}/u;

/** Reads channel names: which namespace, whose, how private. */
export class Namespaces {
  readonly #options: ChannelsOptions;
  #default: Namespace;
  #byName: ReadonlyMap<string, Namespace>;

  constructor(options: ChannelsOptions) {
    this.#options = options;
    this.#default = this.#prepare('', options.withoutNamespace);
    this.#byName = this.#prepareAll(options);
  }

  /** Other namespaces, or others of their options. Who has the rules of a channel keeps them. */
  replace(options: NamespacesOptions): void {
    this.#default = this.#prepare('', options.withoutNamespace);
    this.#byName = this.#prepareAll(options);
  }

  #prepareAll({ namespaces }: NamespacesOptions): ReadonlyMap<string, Namespace> {
    return new Map(namespaces.map(({ name, ...given }) => [name, this.#prepare(name, given)]));
  }

  #prepare(namespace: string, given: GivenChannelOptions): Namespace {
    const options: ChannelOptions = {
      ...defaultChannelOptions,
      ...given,
      sharedPoll: { ...defaultSharedPollOptions, ...given.sharedPoll },
      map: { ...defaultMapOptions, ...given.map },
    };
    const historyMetaTtlMs = options.historyMetaTtlMs || this.#options.historyMetaTtlMs;
    return {
      rules: {
        namespace,
        options,
        historyMetaTtlMs,
        hasHistory: options.historySize > 0 && options.historyTtlMs > 0,
        isMap: options.subscriptionType.startsWith('map'),
        retention: retentionOf(options.map, historyMetaTtlMs),
      },
      pattern: options.channelRegex === '' ? undefined : new RegExp(options.channelRegex, 'u'),
    };
  }

  /** The rules of a channel: error 102 for an unknown namespace, 107 for a name that breaks the rules. */
  resolve(channel: string): ChannelRules | ReplyError {
    if (channel === '' || Buffer.byteLength(channel) > this.#options.maxLength) {
      return replyErrors.badRequest;
    }
    const { namespace, rest } = this.#split(channel);
    if (namespace === undefined) return replyErrors.unknownChannel;
    const isAllowed =
      namespace.pattern === undefined
        ? plainName.test(channel)
        : namespace.pattern.test(rest) && !controlCharacter.test(channel);
    return isAllowed ? namespace.rules : replyErrors.badRequest;
  }

  /** The namespace that a name leads to, and the name without private prefix and namespace. */
  #split(channel: string): { readonly namespace: Namespace | undefined; readonly rest: string } {
    const { privatePrefix, namespaceBoundary } = this.#options;
    const start = this.isPrivate(channel) ? privatePrefix.length : 0;
    const boundary = namespaceBoundary === '' ? -1 : channel.indexOf(namespaceBoundary, start);
    if (boundary === -1) return { namespace: this.#default, rest: channel.slice(start) };
    return {
      namespace: this.#byName.get(channel.slice(start, boundary)),
      rest: channel.slice(boundary + namespaceBoundary.length),
    };
  }

  isPrivate(channel: string): boolean {
    const { privatePrefix } = this.#options;
    return privatePrefix !== '' && channel.startsWith(privatePrefix);
  }

  /** Whether any channel at all is durable. */
  get hasDurable(): boolean {
    return [this.#default, ...this.#byName.values()].some(
      ({ rules }) => rules.options.historyDurable,
    );
  }

  /** Whether what happens in a channel is journaled before anybody hears of it. */
  isDurable(channel: string): boolean {
    const { namespace } = this.#split(channel);
    return namespace?.rules.options.historyDurable === true;
  }

  /** Users that a user-limited channel names, or undefined when the channel names none. */
  limitedTo(channel: string, rules: ChannelRules): readonly string[] | undefined {
    return rules.options.allowUserLimitedChannels
      ? usersNamedBy(channel, this.#options)
      : undefined;
  }

  /**
   * The channel that belongs to one user, in the given namespace. Undefined where that name would
   * open to others: `#a,b` to the users `a` and `b`.
   */
  personalChannel(user: string, namespace: string): string | undefined {
    const { namespaceBoundary, userBoundary } = this.#options;
    const prefix = namespace === '' ? '' : `${namespace}${namespaceBoundary}`;
    const channel = `${prefix}${userBoundary}${user}`;
    const rules = this.resolve(channel);
    const named = isRefusal(rules) ? undefined : this.limitedTo(channel, rules);
    return named === undefined || (named.length === 1 && named[0] === user) ? channel : undefined;
  }
}

function retentionOf(
  { mode, keyTtlMs, streamSize, streamTtlMs, metaTtlMs }: MapOptions,
  channelMetaTtlMs: number,
): MapRetention {
  return {
    streamSize: mode === 'ephemeral' ? 0 : streamSize,
    streamTtlMs,
    keyTtlMs: mode === 'persistent' ? 0 : keyTtlMs,
    metaTtlMs: Math.max(metaTtlMs || channelMetaTtlMs, streamTtlMs),
  };
}
