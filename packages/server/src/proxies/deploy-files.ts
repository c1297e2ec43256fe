import { proxyConfig, type ProxyName } from './proxy-config.ts';
import type { ProxySettings } from './proxy-settings.ts';

const names: Readonly<Record<ProxyName, string>> = {
  nginx: 'nginx.conf',
  caddy: 'Caddyfile',
  haproxy: 'haproxy.cfg',
  apache: 'apache.conf',
  traefik: 'traefik.yaml',
  envoy: 'envoy.yaml',
  k8s: 'kubernetes.yaml',
};

/** The files of `deploy/` that are made from the code: what `holdfast proxy-config` prints, by name. */
export function deployFiles(settings: ProxySettings): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(names).map(([proxy, name]) => [name, proxyConfig(proxy as ProxyName, settings)]),
  );
}
