/**
 * What a hub can be told about transports. Names and meaning are Centrifugo v6's, in camel case, with durations
 * in milliseconds (`history_ttl: "300s"` there is `historyTtlMs: 300_000` here).
 *
 * @module
 */

export interface WebSocketOptions {
  /** Longest incoming message, on the wire and decompressed. @defaultValue 65536 */
  readonly messageSizeLimit: number;
  /** Fragments of one message; more end the connection with 1008. @defaultValue 128 */
  readonly maxFragments: number;
  /** Offer permessage-deflate (without context takeover). @defaultValue false */
  readonly compression: boolean;
  /** @defaultValue 1024 */
  readonly compressionMinSize: number;
  /** Time that one write may take before the connection ends with 3009. @defaultValue 5000 */
  readonly writeTimeoutMs: number;
}

/** Defaults of {@link WebSocketOptions}. */
export const defaultWebSocketOptions: WebSocketOptions = {
  messageSizeLimit: 65_536,
  maxFragments: 128,
  compression: false,
  compressionMinSize: 1024,
  writeTimeoutMs: 5_000,
};

/** One endpoint of the transports that need nothing but HTTP. */
export interface HttpEndpointOptions {
  readonly enabled: boolean;
  /** The whole path. */
  readonly handlerPrefix: string;
  /** Longest request body in bytes. @defaultValue 65536 */
  readonly maxRequestBodySize: number;
}

/** The endpoint of polling. */
export interface LongPollOptions extends HttpEndpointOptions {
  /**
   * How long a poll waits for something to say; clients may ask for less. Shorter than the patience
   * of every proxy on the way. @defaultValue 20000
   */
  readonly pollTimeoutMs: number;
}

/** Transports that need nothing but HTTP, and what goes with them. */
export interface HttpTransportsOptions {
  /** Fallback for clients behind networks that break WebSocket. @defaultValue enabled */
  readonly httpStream: HttpEndpointOptions;
  /** Fallback through `EventSource`. @defaultValue enabled */
  readonly sse: HttpEndpointOptions;
  /** Last resort, for networks that let only whole answers through. @defaultValue enabled */
  readonly polling: LongPollOptions;
  /** Takes the commands of HTTP streaming and SSE; there when one of them is. */
  readonly emulation: Omit<HttpEndpointOptions, 'enabled'>;
  /** One-way, for `EventSource` without any SDK. @defaultValue not enabled */
  readonly uniSse: HttpEndpointOptions;
  /** One-way, newline-delimited JSON. @defaultValue not enabled */
  readonly uniHttpStream: HttpEndpointOptions;
  /** One-way, WebSocket, with the limits of `WebSocketOptions`. @defaultValue not enabled */
  readonly uniWebsocket: Omit<HttpEndpointOptions, 'maxRequestBodySize'>;
  /** Lets a browser pick up cookies and routing before it connects. @defaultValue enabled */
  readonly init: Omit<HttpEndpointOptions, 'maxRequestBodySize'>;
}

/** Defaults of {@link HttpTransportsOptions}. */
export const defaultHttpTransportsOptions: HttpTransportsOptions = {
  httpStream: endpoint('/connection/http_stream', true),
  sse: endpoint('/connection/sse', true),
  polling: { ...endpoint('/connection/polling', true), pollTimeoutMs: 20_000 },
  emulation: { handlerPrefix: '/emulation', maxRequestBodySize: 65_536 },
  uniSse: endpoint('/connection/uni_sse', false),
  uniHttpStream: endpoint('/connection/uni_http_stream', false),
  uniWebsocket: { enabled: false, handlerPrefix: '/connection/uni_websocket' },
  init: { enabled: true, handlerPrefix: '/connection/init' },
};

function endpoint(handlerPrefix: string, enabled: boolean): HttpEndpointOptions {
  return { enabled, handlerPrefix, maxRequestBodySize: 65_536 };
}

/** {@link HttpTransportsOptions} of which anything may be left at its default. */
export type GivenHttpTransportsOptions = {
  readonly [Name in keyof HttpTransportsOptions]?: Partial<HttpTransportsOptions[Name]>;
};

/** Fills in the defaults of each endpoint. */
export function resolveHttpTransportsOptions(
  given: GivenHttpTransportsOptions = {},
): HttpTransportsOptions {
  const defaults = defaultHttpTransportsOptions;
  return {
    httpStream: { ...defaults.httpStream, ...given.httpStream },
    sse: { ...defaults.sse, ...given.sse },
    polling: { ...defaults.polling, ...given.polling },
    emulation: { ...defaults.emulation, ...given.emulation },
    uniSse: { ...defaults.uniSse, ...given.uniSse },
    uniHttpStream: { ...defaults.uniHttpStream, ...given.uniHttpStream },
    uniWebsocket: { ...defaults.uniWebsocket, ...given.uniWebsocket },
    init: { ...defaults.init, ...given.init },
  };
}
