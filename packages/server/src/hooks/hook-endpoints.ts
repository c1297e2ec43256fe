import type { Clock, Logger } from '@holdfast/hub';
import type { CircuitState } from './circuit-breaker.ts';
import { parseEndpoint } from './endpoint-url.ts';
import { HookCaller, type HookName } from './hook-caller.ts';
import type { HookCallMetrics } from './hook-metrics.ts';
import { HttpHookClient } from './http-hook-client.ts';
import {
  type ChannelHookOptions,
  type HookProxyOptions,
  type HooksOptions,
  resolveProxyOptions,
} from './options.ts';

/** What the hooks have done; read at scrape time. Names come from configuration only. */
export interface HooksMetrics {
  readonly calls: readonly {
    readonly hook: HookName;
    /** `default`, or the name of an entry of `proxies`. */
    readonly proxy: string;
    readonly metrics: HookCallMetrics;
  }[];
  readonly endpoints: readonly {
    /** Configuration key of the endpoint. */
    readonly key: string;
    readonly callsUnderWay: number;
    readonly callsWaiting: number;
    readonly circuit: CircuitState;
  }[];
}

type Section = 'connect' | 'refresh' | ChannelSection | 'rpc';
/** Hooks that namespaces switch on for their channels. */
type ChannelSection =
  | 'subscribe'
  | 'publish'
  | 'subRefresh'
  | 'mapPublish'
  | 'mapRemove'
  | 'sharedPoll';

const sectionKeys: Readonly<Record<Section, string>> = {
  connect: 'client.proxy.connect',
  refresh: 'client.proxy.refresh',
  subscribe: 'channel.proxy.subscribe',
  publish: 'channel.proxy.publish',
  subRefresh: 'channel.proxy.sub_refresh',
  mapPublish: 'channel.proxy.map_publish',
  mapRemove: 'channel.proxy.map_remove',
  sharedPoll: 'channel.proxy.shared_poll_refresh',
  rpc: 'rpc.proxy',
};

const channelSwitches = {
  subscribe: {
    key: 'subscribe_proxy',
    enabled: (options: ChannelHookOptions) => options.subscribeProxyEnabled,
    proxyName: (options: ChannelHookOptions) => options.subscribeProxyName,
  },
  publish: {
    key: 'publish_proxy',
    enabled: (options: ChannelHookOptions) => options.publishProxyEnabled,
    proxyName: (options: ChannelHookOptions) => options.publishProxyName,
  },
  subRefresh: {
    key: 'sub_refresh_proxy',
    enabled: (options: ChannelHookOptions) => options.subRefreshProxyEnabled,
    proxyName: (options: ChannelHookOptions) => options.subRefreshProxyName,
  },
  mapPublish: {
    key: 'map.publish_proxy',
    enabled: (options: ChannelHookOptions) => options.mapPublishProxyEnabled,
    proxyName: (options: ChannelHookOptions) => options.mapPublishProxyName,
  },
  mapRemove: {
    key: 'map.remove_proxy',
    enabled: (options: ChannelHookOptions) => options.mapRemoveProxyEnabled,
    proxyName: (options: ChannelHookOptions) => options.mapRemoveProxyName,
  },
  sharedPoll: {
    key: 'shared_poll.proxy',
    enabled: (options: ChannelHookOptions) => options.sharedPollEnabled,
    proxyName: (options: ChannelHookOptions) => options.sharedPollProxyName,
  },
} as const satisfies Record<ChannelSection, object>;

/** The RPC hook of each namespace; `''` is the namespace of methods without one. */
export interface RpcEndpoints {
  readonly namespaces: ReadonlySet<string>;
  readonly callers: ReadonlyMap<string, HookCaller>;
}

/** The configured endpoints: each is made once, when the first hook or namespace refers to it. */
export class HookEndpoints {
  readonly #options: HooksOptions;
  readonly #context: { readonly logger: Logger; readonly clock: Clock };
  readonly #callers = new Map<string, HookCaller>();

  constructor(options: HooksOptions, context: { readonly logger: Logger; readonly clock: Clock }) {
    this.#options = options;
    this.#context = context;
  }

  /**
   * The endpoint of a hook itself, which namespaces call `default`.
   * @throws Error when it is not configured, or not in a way that can work; so do the other methods.
   */
  main(section: Section): HookCaller {
    const key = sectionKeys[section];
    const options = this.#options[section];
    if (options === undefined) throw new Error(`${key}.endpoint is needed, but not set`);
    return this.#caller(key, 'default', options);
  }

  /** The endpoints of one hook by namespace; `''` is the namespace of channels without one. */
  perNamespace(section: ChannelSection): ReadonlyMap<string, HookCaller> {
    const { withoutNamespace = {}, namespaces = [] } = this.#options;
    const { key, enabled, proxyName } = channelSwitches[section];
    const callers = new Map<string, HookCaller>();
    for (const namespace of [{ name: '', ...withoutNamespace }, ...namespaces]) {
      if (enabled(namespace) !== true) continue;
      const place = placeOf('channel', namespace.name);
      const name = proxyName(namespace) ?? 'default';
      callers.set(namespace.name, this.#named(section, name, `${place}.${key}`));
    }
    return callers;
  }

  rpc(): RpcEndpoints {
    const { rpcWithoutNamespace = {}, rpcNamespaces = [] } = this.#options;
    const all = [{ name: '', ...rpcWithoutNamespace }, ...rpcNamespaces];
    const callers = new Map<string, HookCaller>();
    for (const { name, proxyEnabled, proxyName = 'default' } of all) {
      if (proxyEnabled !== true) continue;
      callers.set(name, this.#named('rpc', proxyName, `${placeOf('rpc', name)}.proxy`));
    }
    return { namespaces: new Set(all.map(({ name }) => name)), callers };
  }

  metrics(): HooksMetrics {
    const callers = [...this.#callers];
    return {
      calls: callers.flatMap(([, caller]) =>
        [...caller.metrics].map(([hook, metrics]) => ({ hook, proxy: caller.proxyName, metrics })),
      ),
      endpoints: callers.map(([key, { client }]) => ({
        key,
        callsUnderWay: client.callsUnderWay,
        callsWaiting: client.callsWaiting,
        circuit: client.circuitState,
      })),
    };
  }

  /** By configuration key, without addresses. */
  problems(): readonly string[] {
    const problems: string[] = [];
    for (const [key, { client }] of this.#callers) {
      const problem = client.problem();
      if (problem !== undefined) problems.push(`${key}: ${problem}`);
    }
    return problems;
  }

  close(): void {
    for (const { client } of this.#callers.values()) client.close();
  }

  #named(section: Section, name: string, switchKey: string): HookCaller {
    if (name === 'default') {
      if (this.#options[section] !== undefined) return this.main(section);
      throw new Error(
        `${switchKey}_enabled is true, but ${sectionKeys[section]}.endpoint is not set`,
      );
    }
    const options = this.#options.proxies?.find((proxy) => proxy.name === name);
    if (options === undefined) {
      throw new Error(`${switchKey}_name is '${name}', but proxies has no entry of that name`);
    }
    return this.#caller(`proxies[${name}]`, name, options);
  }

  #caller(key: string, proxyName: string, options: HookProxyOptions): HookCaller {
    const existing = this.#callers.get(key);
    if (existing !== undefined) return existing;
    const url = parseEndpoint(options.endpoint, `${key}.endpoint`);
    const proxy = resolveProxyOptions(options);
    const client = new HttpHookClient({ url, proxy, ...this.#context });
    const caller = new HookCaller({ client, url, proxy, proxyName, key, ...this.#context });
    this.#callers.set(key, caller);
    return caller;
  }
}

function placeOf(section: 'channel' | 'rpc', namespace: string): string {
  return namespace === '' ? `${section}.without_namespace` : `${section}.namespaces[${namespace}]`;
}
