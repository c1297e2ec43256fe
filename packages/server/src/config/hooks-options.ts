import type {
  ChannelHookOptions,
  HookProxyOptions,
  HooksOptions,
  NamedHookProxyOptions,
  RpcHookOptions,
  StatusTransform,
} from '../hooks/index.ts';
import type { ChannelConfig, Config, ProxyConfig } from './schema.ts';
import type { Secret } from './secret.ts';

/** The part of the configuration that says what the backend is asked, and where. */
export function toHooksOptions(config: Config): HooksOptions {
  const { client, channel, rpc, proxies } = config;
  return {
    ...whenSet('connect', client.proxy.connect.enabled, client.proxy.connect),
    ...whenSet('refresh', client.proxy.refresh.enabled, client.proxy.refresh),
    ...whenSet('subscribe', true, channel.proxy.subscribe),
    ...whenSet('publish', true, channel.proxy.publish),
    ...whenSet('subRefresh', true, channel.proxy.sub_refresh),
    ...whenSet('mapPublish', true, channel.proxy.map_publish),
    ...whenSet('mapRemove', true, channel.proxy.map_remove),
    ...whenSet('sharedPoll', true, channel.proxy.shared_poll_refresh),
    ...whenSet('rpc', true, rpc.proxy),
    proxies: proxies.map(toNamedProxy),
    withoutNamespace: toChannelHookOptions(channel.without_namespace),
    namespaces: channel.namespaces.map((namespace) => ({
      name: namespace.name,
      ...toChannelHookOptions(namespace),
    })),
    privatePrefix: channel.private_prefix,
    rpcWithoutNamespace: toRpcHookOptions(rpc.without_namespace),
    rpcNamespaces: rpc.namespaces.map((namespace) => ({
      name: namespace.name,
      ...toRpcHookOptions(namespace),
    })),
    rpcNamespaceBoundary: rpc.namespace_boundary,
  };
}

type AnyProxy = Omit<ProxyConfig, 'name'>;

function whenSet<Name extends string>(
  name: Name,
  isEnabled: boolean,
  proxy: AnyProxy,
): { readonly [Key in Name]?: HookProxyOptions } {
  if (!isEnabled || proxy.endpoint === '') return {};
  return { [name]: toHookProxyOptions(proxy) } as { readonly [Key in Name]: HookProxyOptions };
}

function toNamedProxy(proxy: ProxyConfig): NamedHookProxyOptions {
  return { name: proxy.name, ...toHookProxyOptions(proxy) };
}

function toHookProxyOptions(proxy: AnyProxy): HookProxyOptions {
  const { http } = proxy;
  return {
    endpoint: proxy.endpoint,
    timeoutMs: proxy.timeout.ms,
    httpHeaders: proxy.http_headers,
    emulatedHeaders: proxy.emulated_headers,
    binaryEncoding: proxy.binary_encoding,
    includeConnectionMeta: proxy.include_connection_meta,
    staticHeaders: revealHeaders(http.static_headers),
    statusToCodeTransforms: http.status_to_code_transforms.map(toStatusTransform),
  };
}

/** Headers as they are sent, values that authenticate among them. */
export function revealHeaders(
  headers: Readonly<Record<string, Secret>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
}

function toStatusTransform(
  transform: ProxyConfig['http']['status_to_code_transforms'][number],
): StatusTransform {
  const { status_code: statusCode, to_error: toError, to_disconnect: toDisconnect } = transform;
  return {
    statusCode,
    ...(toError.code === 0 ? {} : { toError }),
    ...(toDisconnect.code === 0 ? {} : { toDisconnect }),
  };
}

function toChannelHookOptions(channel: ChannelConfig): ChannelHookOptions {
  return {
    subscribeProxyEnabled: channel.subscribe_proxy_enabled,
    subscribeProxyName: channel.subscribe_proxy_name || 'default',
    publishProxyEnabled: channel.publish_proxy_enabled,
    publishProxyName: channel.publish_proxy_name || 'default',
    subRefreshProxyEnabled: channel.sub_refresh_proxy_enabled,
    subRefreshProxyName: channel.sub_refresh_proxy_name || 'default',
    mapPublishProxyEnabled: channel.map.publish_proxy_enabled,
    mapPublishProxyName: channel.map.publish_proxy_name || 'default',
    mapRemoveProxyEnabled: channel.map.remove_proxy_enabled,
    mapRemoveProxyName: channel.map.remove_proxy_name || 'default',
    sharedPollEnabled: channel.subscription_type === 'shared_poll',
    sharedPollProxyName: channel.shared_poll.proxy_name || 'default',
  };
}

function toRpcHookOptions(namespace: Config['rpc']['without_namespace']): RpcHookOptions {
  return {
    proxyEnabled: namespace.proxy_enabled,
    proxyName: namespace.proxy_name || 'default',
  };
}
