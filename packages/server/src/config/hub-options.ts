import {
  defaultAdmissionOptions,
  defaultChannelOptions,
  defaultClientOptions,
  defaultHttpTransportsOptions,
  defaultMapOptions,
  defaultSharedPollOptions,
  defaultWebSocketOptions,
  type AdmissionOptions,
  type ChannelOptions,
  type ChannelsOptions,
  type ClientOptions,
  type HttpTransportsOptions,
  type SharedPollSecrets,
  type WebSocketOptions,
} from '@holdfast/hub';
import { Duration } from './duration.ts';
import { automaticNamespaces } from './durable-namespaces.ts';
import type { ChannelConfig, Config } from './schema.ts';
import { toJavaScriptRegex } from './schema/regular-expression.ts';
import type { Secret } from './secret.ts';

type CamelCase<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Key;

/** Options whose unit stands in the hub's name and not in Centrifugo's. */
const renamed = { queue_max_size: 'queueMaxSizeBytes' } as const;

type HubName<Key, Value> = Key extends keyof typeof renamed
  ? (typeof renamed)[Key]
  : Key extends string
    ? Value extends Duration
      ? `${CamelCase<Key>}Ms`
      : CamelCase<Key>
    : never;

/** A section in the hub's naming: camel case, durations as `…Ms`. */
type HubNaming<Value> = Value extends Duration
  ? number
  : Value extends Secret | string | number | boolean
    ? Value
    : Value extends readonly (infer Item)[]
      ? readonly HubNaming<Item>[]
      : { readonly [Key in keyof Value as HubName<Key, Value[Key]>]: HubNaming<Value[Key]> };

function camelCase(key: string): string {
  return key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function toHubNaming<Value>(value: Value): HubNaming<Value> {
  return convert(value) as HubNaming<Value>;
}

function convert(value: unknown): unknown {
  // Negative durations mean "off", which is 0 to the hub.
  if (value instanceof Duration) return Math.max(0, value.ms);
  if (Array.isArray(value)) return value.map(convert);
  if (typeof value !== 'object' || value === null) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const name = Object.hasOwn(renamed, key)
        ? renamed[key as keyof typeof renamed]
        : camelCase(key);
      return [item instanceof Duration ? `${name}Ms` : name, convert(item)];
    }),
  );
}

/** The part of an object that a set of defaults has. */
function pick<Options extends object>(options: Options, defaults: Options): Options {
  return Object.fromEntries(
    Object.keys(defaults).map((key) => [key, options[key as keyof Options]]),
  ) as Options;
}

/** The part of the hub's options that comes from the configuration. */
export interface ConfiguredHubOptions {
  readonly client: ClientOptions;
  readonly channel: ChannelsOptions;
  readonly websocket: WebSocketOptions;
  readonly http: HttpTransportsOptions;
  readonly admission: AdmissionOptions;
  readonly sharedPoll?: SharedPollSecrets;
}

/**
 * Turns the configuration into the hub's options. That every option of the hub is configurable is
 * proved here by types: a new one that the schema lacks does not compile.
 */
export function toHubOptions(config: Config): ConfiguredHubOptions {
  return {
    client: pick<ClientOptions>(
      {
        ...toHubNaming(config.client),
        presenceTtlMs: presenceTtlMs(config.client),
        serverSideRefresh: config.client.proxy.refresh.enabled,
      },
      defaultClientOptions,
    ),
    channel: {
      ...channelNaming(config.channel),
      withoutNamespace: channelOptions(config.channel.without_namespace, config),
      namespaces: [
        ...config.channel.namespaces.map((namespace) => ({
          name: namespace.name,
          ...channelOptions(namespace, config),
        })),
        ...automaticNamespaces(config),
      ],
    },
    websocket: pick<WebSocketOptions>(toHubNaming(config.websocket), defaultWebSocketOptions),
    http: httpTransports(config),
    admission: pick<AdmissionOptions>(toHubNaming(config.admission), defaultAdmissionOptions),
    ...sharedPoll(config),
  };
}

function sharedPoll({ shared_poll: section }: Config): { readonly sharedPoll?: SharedPollSecrets } {
  if (section.hmac_secret_key.isEmpty) return {};
  return {
    sharedPoll: {
      hmacSecretKey: section.hmac_secret_key.reveal(),
      hmacPreviousSecretKey: section.hmac_previous_secret_key.reveal(),
      hmacPreviousSecretKeyValidUntil: section.hmac_previous_secret_key_valid_until,
    },
  };
}

function httpTransports(config: Config): HttpTransportsOptions {
  const defaults = defaultHttpTransportsOptions;
  const all: HttpTransportsOptions = {
    httpStream: toHubNaming(config.http_stream),
    sse: toHubNaming(config.sse),
    polling: toHubNaming(config.polling),
    emulation: toHubNaming(config.emulation),
    uniSse: toHubNaming(config.uni_sse),
    uniHttpStream: toHubNaming(config.uni_http_stream),
    uniWebsocket: toHubNaming(config.uni_websocket),
    init: toHubNaming(config.init),
  };
  return {
    httpStream: pick(all.httpStream, defaults.httpStream),
    sse: pick(all.sse, defaults.sse),
    polling: pick(all.polling, defaults.polling),
    emulation: pick(all.emulation, defaults.emulation),
    uniSse: pick(all.uniSse, defaults.uniSse),
    uniHttpStream: pick(all.uniHttpStream, defaults.uniHttpStream),
    uniWebsocket: pick(all.uniWebsocket, defaults.uniWebsocket),
    init: pick(all.init, defaults.init),
  };
}

function presenceTtlMs(client: Config['client']): number {
  const { presence_ttl: ttl, presence_update_interval: interval } = client;
  return ttl.ms > 0 ? ttl.ms : Math.max(defaultClientOptions.presenceTtlMs, 2 * interval.ms);
}

function channelNaming(
  channel: Config['channel'],
): Omit<ChannelsOptions, 'withoutNamespace' | 'namespaces'> {
  const {
    privatePrefix,
    namespaceBoundary,
    userBoundary,
    userSeparator,
    maxLength,
    historyMetaTtlMs,
  } = toHubNaming(channel);
  return {
    privatePrefix,
    namespaceBoundary,
    userBoundary,
    userSeparator,
    maxLength,
    historyMetaTtlMs,
  };
}

/** Where Centrifugo's configuration says 0 or nothing, it means the default. */
function orDefaults<Options extends object>(
  given: { readonly [Key in keyof Options]: Options[Key] | '' },
  defaults: Options,
): Options {
  return Object.fromEntries(
    Object.entries(defaults).map(([key, value]) => [key, given[key as keyof Options] || value]),
  ) as Options;
}

function channelOptions(channel: ChannelConfig, config: Config): ChannelOptions {
  const named = toHubNaming(channel);
  return pick<ChannelOptions>(
    {
      ...named,
      serverSideSubRefresh: channel.sub_refresh_proxy_enabled,
      forceRecoveryMode: named.forceRecoveryMode === '' ? 'stream' : named.forceRecoveryMode,
      publicationDataFormat: named.publicationDataFormat || config.channel.publication_data_format,
      channelRegex: toJavaScriptRegex(named.channelRegex),
      subscriptionType: named.subscriptionType === '' ? 'stream' : named.subscriptionType,
      sharedPoll: orDefaults(named.sharedPoll, defaultSharedPollOptions),
      map: orDefaults(named.map, defaultMapOptions),
    },
    defaultChannelOptions,
  );
}
