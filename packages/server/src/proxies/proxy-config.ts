import { apacheConfig } from './apache.ts';
import { caddyConfig } from './caddy.ts';
import { envoyConfig } from './envoy.ts';
import { haproxyConfig } from './haproxy.ts';
import { kubernetesConfig } from './kubernetes.ts';
import { nginxConfig } from './nginx.ts';
import type { ProxySettings } from './proxy-settings.ts';
import { traefikConfig } from './traefik.ts';

/** Proxies that {@link proxyConfig} writes configurations for. */
export const proxyNames = [
  'nginx',
  'caddy',
  'haproxy',
  'apache',
  'traefik',
  'envoy',
  'k8s',
] as const;

/** One of the proxies that configurations are printed for. */
export type ProxyName = (typeof proxyNames)[number];

const writers: Readonly<Record<ProxyName, (settings: ProxySettings) => string>> = {
  nginx: nginxConfig,
  caddy: caddyConfig,
  haproxy: haproxyConfig,
  apache: apacheConfig,
  traefik: traefikConfig,
  envoy: envoyConfig,
  k8s: kubernetesConfig,
};

/**
 * A configuration with which a proxy lets everything through that clients need, and nothing else:
 * WebSocket, streams as they come, idle times beyond the pings, the headers that tell who is there.
 */
export function proxyConfig(proxy: ProxyName, settings: ProxySettings): string {
  return writers[proxy](settings);
}
