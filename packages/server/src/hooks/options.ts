/**
 * What one status code of a hook's answer means to the client, instead of "internal server error".
 * Exactly one of `toError` and `toDisconnect`.
 */
export interface StatusTransform {
  readonly statusCode: number;
  readonly toError?: {
    /** 400–1999 are free for applications. */
    readonly code: number;
    readonly message: string;
    /** Whether clients try again with backoff. @defaultValue false */
    readonly temporary?: boolean;
  };
  readonly toDisconnect?: {
    /** 4000–4499 clients reconnect, 4500–4999 they don't. */
    readonly code: number;
    readonly reason: string;
  };
}

/** When calls to a failing endpoint are answered without calling it; see `circuit-breaker.spec.md`. */
export interface CircuitBreakerOptions {
  /** Failures in a row that open the circuit; 0 never opens it. @defaultValue 20 */
  readonly failureThreshold?: number;
  /** Time until the first probe; doubles with each probe that fails. @defaultValue 1000 */
  readonly openMs?: number;
  /** @defaultValue 15000 */
  readonly maxOpenMs?: number;
}

/**
 * One backend endpoint, Centrifugo's "proxy" object. Every event that uses it is an HTTP POST with a
 * JSON body.
 */
export interface HookProxyOptions {
  /**
   * `http://` or `https://` URL. User and password in it become basic authentication. Certificates
   * are checked against those that Node trusts (`NODE_EXTRA_CA_CERTS` adds to them).
   */
  readonly endpoint: string;
  /** Deadline of a whole call: waiting for a connection, sending, receiving. @defaultValue 1000 */
  readonly timeoutMs?: number;
  /**
   * Names of headers of the client's own HTTP request that are passed on. What is not listed is never
   * sent to the backend, cookies included. @defaultValue []
   */
  readonly httpHeaders?: readonly string[];
  /**
   * Names of headers that clients may set inside their connect command. Always the client's own word,
   * so list only what the backend verifies. A header of the HTTP request wins. @defaultValue []
   */
  readonly emulatedHeaders?: readonly string[];
  /** Sent with every call; forwarded headers of the same name win. @defaultValue {} */
  readonly staticHeaders?: Readonly<Record<string, string>>;
  /** Send the connection's `meta` (not with the connect hook, which makes it). @defaultValue false */
  readonly includeConnectionMeta?: boolean;
  /** Send payloads as base64 in `b64data`, for clients whose data is not JSON. @defaultValue false */
  readonly binaryEncoding?: boolean;
  /** The first entry with the answer's status decides. @defaultValue [] */
  readonly statusToCodeTransforms?: readonly StatusTransform[];
  /** Connections, and thereby calls, at the same time. @defaultValue 64 */
  readonly maxConnections?: number;
  /** Calls that wait for a connection; one more fails at once with error 100. @defaultValue 4096 */
  readonly maxWaitingCalls?: number;
  /** Bytes of request bodies that may wait. @defaultValue 16777216 */
  readonly maxWaitingBytes?: number;
  /** Longest answer in bytes. @defaultValue 65536 */
  readonly maxResponseBytes?: number;
  readonly circuitBreaker?: CircuitBreakerOptions;
}

/** An endpoint that namespaces refer to by name. */
export interface NamedHookProxyOptions extends HookProxyOptions {
  readonly name: string;
}

/** Which hooks the channels of one namespace use. The name `default` is the hook's own endpoint. */
export interface ChannelHookOptions {
  /** @defaultValue false */
  readonly subscribeProxyEnabled?: boolean;
  /** @defaultValue 'default' */
  readonly subscribeProxyName?: string;
  /** @defaultValue false */
  readonly publishProxyEnabled?: boolean;
  /** @defaultValue 'default' */
  readonly publishProxyName?: string;
  /** @defaultValue false */
  readonly subRefreshProxyEnabled?: boolean;
  /** @defaultValue 'default' */
  readonly subRefreshProxyName?: string;
  /** @defaultValue false */
  readonly mapPublishProxyEnabled?: boolean;
  /** @defaultValue 'default' */
  readonly mapPublishProxyName?: string;
  /** @defaultValue false */
  readonly mapRemoveProxyEnabled?: boolean;
  /** @defaultValue 'default' */
  readonly mapRemoveProxyName?: string;
  /** The namespace's subscription type is `shared_poll`. @defaultValue false */
  readonly sharedPollEnabled?: boolean;
  /** @defaultValue 'default' */
  readonly sharedPollProxyName?: string;
}

/** Which hook the RPC methods of one namespace use. */
export interface RpcHookOptions {
  /** @defaultValue false */
  readonly proxyEnabled?: boolean;
  /** @defaultValue 'default' */
  readonly proxyName?: string;
}

/**
 * Everything that is asked of the backend. Each member says which key of a Centrifugo configuration
 * it is; names inside are Centrifugo's in camel case.
 */
export interface HooksOptions {
  /** `client.proxy.connect`, when enabled. */
  readonly connect?: HookProxyOptions;
  /** `client.proxy.refresh`, when enabled. */
  readonly refresh?: HookProxyOptions;
  /** `channel.proxy.subscribe` */
  readonly subscribe?: HookProxyOptions;
  /** `channel.proxy.publish` */
  readonly publish?: HookProxyOptions;
  /** `channel.proxy.sub_refresh` */
  readonly subRefresh?: HookProxyOptions;
  /** `channel.proxy.map_publish` */
  readonly mapPublish?: HookProxyOptions;
  /** `channel.proxy.map_remove` */
  readonly mapRemove?: HookProxyOptions;
  /** `channel.proxy.shared_poll_refresh` */
  readonly sharedPoll?: HookProxyOptions;
  /** `rpc.proxy` */
  readonly rpc?: HookProxyOptions;
  /** `proxies` */
  readonly proxies?: readonly NamedHookProxyOptions[];
  /** `channel.without_namespace` */
  readonly withoutNamespace?: ChannelHookOptions;
  /** `channel.namespaces` */
  readonly namespaces?: readonly ({ readonly name: string } & ChannelHookOptions)[];
  /**
   * `channel.private_prefix`. Channels that begin with it need a token; the backend is not asked.
   * @defaultValue '$'
   */
  readonly privatePrefix?: string;
  /** `rpc.without_namespace` */
  readonly rpcWithoutNamespace?: RpcHookOptions;
  /** `rpc.namespaces` */
  readonly rpcNamespaces?: readonly ({ readonly name: string } & RpcHookOptions)[];
  /** `rpc.namespace_boundary`. @defaultValue ':' */
  readonly rpcNamespaceBoundary?: string;
}

/** {@link HookProxyOptions} with every default filled in. */
export type ResolvedHookProxyOptions = Required<Omit<HookProxyOptions, 'circuitBreaker'>> & {
  readonly circuitBreaker: Required<CircuitBreakerOptions>;
};

const defaults = {
  timeoutMs: 1_000,
  httpHeaders: [],
  emulatedHeaders: [],
  staticHeaders: {},
  includeConnectionMeta: false,
  binaryEncoding: false,
  statusToCodeTransforms: [],
  maxConnections: 64,
  maxWaitingCalls: 4_096,
  maxWaitingBytes: 16_777_216,
  maxResponseBytes: 65_536,
} as const satisfies Omit<HookProxyOptions, 'endpoint'>;

const circuitBreakerDefaults: Required<CircuitBreakerOptions> = {
  failureThreshold: 20,
  openMs: 1_000,
  maxOpenMs: 15_000,
};

/** Fills in the defaults of an endpoint. */
export function resolveProxyOptions(given: HookProxyOptions): ResolvedHookProxyOptions {
  return {
    ...defaults,
    ...given,
    circuitBreaker: { ...circuitBreakerDefaults, ...given.circuitBreaker },
  };
}
