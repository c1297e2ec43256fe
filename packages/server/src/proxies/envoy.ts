import type { ProxySettings } from './proxy-settings.ts';

/** A static configuration for Envoy. */
export function envoyConfig(settings: ProxySettings): string {
  const { upstreamHost, upstreamPort, idleSeconds } = settings;
  const matches = [
    ...settings.paths.map((path) => `path: "${path}"`),
    ...settings.trees.map((tree) => `path_separated_prefix: "${tree}"`),
  ];
  const routes = matches.map(
    (match) => `                - match: { ${match} }
                  # 0s: no limit on the whole answer; the default of 15 s ends every stream.
                  route: { cluster: holdfast, timeout: 0s, idle_timeout: ${idleSeconds}s }`,
  );
  const tls = settings.isUpstreamTls
    ? `
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`
    : '';
  return `# untested: written from Envoy's documentation, not run by the tests
# Holdfast behind Envoy. The default circuit breakers stop at 1024 connections without a word.
static_resources:
  listeners:
  - name: clients
    address: { socket_address: { address: 0.0.0.0, port_value: ${settings.listenPort} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: clients
          use_remote_address: true
          upgrade_configs: [{ upgrade_type: websocket }]
          stream_idle_timeout: ${idleSeconds}s
          route_config:
            virtual_hosts:
            - name: holdfast
              domains: ["${settings.publicHost}"]
              routes:
${routes.join('\n')}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: holdfast
    type: STRICT_DNS
    connect_timeout: 5s
    circuit_breakers:
      thresholds: [{ max_connections: 100000, max_requests: 100000, max_pending_requests: 10000 }]
    load_assignment:
      cluster_name: holdfast
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: ${upstreamHost}, port_value: ${upstreamPort} } } }${tls}
`;
}
