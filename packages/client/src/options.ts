import { ClientError } from './client-error.ts';
import type { BackoffOptions } from './connection-machine.ts';
import type { TransportName } from './connection-state.ts';
import type { Environment } from './environment.ts';
import type { SubscriptionState } from './subscription.ts';
import type { Publication } from './wire.ts';

/** One way to the server, and where it is. */
export interface Endpoint {
  readonly transport: TransportName;
  readonly endpoint: string;
}

/** What may be given to a client. Only `url` is needed. */
export interface ClientOptions {
  /**
   * Where the server is: `https://example.com`, or a path prefix of it such as
   * `https://example.com/realtime`. The endpoints of all transports follow from it.
   */
  readonly url: string;
  /**
   * Ways to try, best first, when they differ from the server's default paths.
   * @defaultValue websocket, http_stream, sse, polling under `url`
   */
  readonly endpoints?: readonly Endpoint[];
  /** Where the commands of http_stream and sse go. @defaultValue `/emulation` under `url` */
  readonly emulationEndpoint?: string;
  /** First connection token. */
  readonly token?: string;
  /** Gives a new token whenever one is needed. A rejection is tried again with backoff. */
  readonly getToken?: () => Promise<string>;
  /** Gives a subscription token for a channel that needs one. */
  readonly getChannelToken?: (channel: string) => Promise<string>;
  /** Sent with the connect command. */
  readonly data?: unknown;
  /** Headers for the server that a browser cannot send, sent in the connect command. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Shown in the server's list of connections. @defaultValue 'holdfast' */
  readonly name?: string;
  readonly backoff?: Partial<BackoffOptions>;
  /** Time for a handshake, and for the answer to a call. @defaultValue 5000 */
  readonly connectTimeoutMs?: number;
  /** How much later than announced the server's ping may come. @defaultValue 10000 */
  readonly maxPingDelayMs?: number;
  readonly publishQueue?: Partial<PublishQueueOptions>;
  /**
   * In a channel that the server subscribed to, by the token, a hook or its API: in order, and like
   * `SubscriptionOptions.onPublication` exactly once in recoverable channels.
   */
  readonly onServerPublication?: (publication: Publication) => void;
  /**
   * Called when the server subscribed to a channel, after each return of the connection (`recovered`
   * false: something may have been missed) before what was missed is delivered, and when it ended.
   */
  readonly onServerSubscription?: (channel: string, state: SubscriptionState) => void;
  /** What the server sent to this connection outside of any channel. */
  readonly onMessage?: (data: unknown) => void;
  /** WebSocket class, for platforms without one, and tests. @defaultValue the platform's own */
  readonly webSocket?: unknown;
  /** Implementation of `EventSource`, for Node. */
  readonly eventSource?: unknown;
  readonly fetch?: typeof globalThis.fetch;
  /** @defaultValue `createEnvironment()` */
  readonly environment?: Environment;
}

/** How many publishes wait for a connection, and how long. */
export interface PublishQueueOptions {
  /** Publishes that may wait; more are refused with `queue_full`. @defaultValue 100 */
  readonly maxSize: number;
  /** How long one may wait before it fails with `timed_out` or `outcome_unknown`. @defaultValue 60000 */
  readonly timeoutMs: number;
}

/** {@link ClientOptions} as the connection needs them, every default filled in. */
export interface ConnectionOptions extends Pick<
  ClientOptions,
  | 'token'
  | 'getToken'
  | 'getChannelToken'
  | 'data'
  | 'headers'
  | 'webSocket'
  | 'eventSource'
  | 'fetch'
  | 'environment'
> {
  readonly endpoints: readonly Endpoint[];
  readonly emulationEndpoint: string;
  readonly name: string;
  readonly backoff: BackoffOptions;
  readonly connectTimeoutMs: number;
  readonly maxPingDelayMs: number;
}

export const defaultBackoff: BackoffOptions = {
  minDelayMs: 500,
  maxDelayMs: 20_000,
  stableMs: 10_000,
};

export const defaultPublishQueue: PublishQueueOptions = { maxSize: 100, timeoutMs: 60_000 };

/** The server's default endpoints under a URL, best transport first. */
export function endpointsUnder(url: string): readonly Endpoint[] {
  const base = baseOf(url);
  return [
    { transport: 'websocket', endpoint: `${base.replace(/^http/, 'ws')}/connection/websocket` },
    { transport: 'http_stream', endpoint: `${base}/connection/http_stream` },
    { transport: 'sse', endpoint: `${base}/connection/sse` },
    { transport: 'polling', endpoint: `${base}/connection/polling` },
  ];
}

/** An absolute `http(s)` URL without a slash at its end. */
export function baseOf(url: string): string {
  const page = (globalThis as { readonly location?: { readonly href: string } }).location?.href;
  const parsed = URL.parse(url, page);
  if (parsed === null || !/^(?:https?|wss?):$/.test(parsed.protocol)) {
    throw new ClientError('misused', 'url must be the http(s) address of a Holdfast server');
  }
  parsed.protocol = parsed.protocol.replace('ws', 'http');
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '');
}

/** @throws {@link ClientError} `misused` for a URL that is none. */
export function resolveConnectionOptions(options: ClientOptions): ConnectionOptions {
  return {
    ...options,
    endpoints: options.endpoints ?? endpointsUnder(options.url),
    emulationEndpoint: options.emulationEndpoint ?? `${baseOf(options.url)}/emulation`,
    name: options.name ?? 'holdfast',
    backoff: { ...defaultBackoff, ...options.backoff },
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    maxPingDelayMs: options.maxPingDelayMs ?? 10_000,
  };
}
