import type { ProxySettings } from './proxy-settings.ts';

/** A dynamic configuration for Traefik's file provider. */
export function traefikConfig(settings: ProxySettings): string {
  const { upstreamHost, upstreamPort, publicHost, paths, trees } = settings;
  const scheme = settings.isUpstreamTls ? 'https' : 'http';
  const anyPath = [
    ...[...paths, ...trees].map((path) => `Path(\`${path}\`)`),
    ...trees.map((tree) => `PathPrefix(\`${tree}/\`)`),
  ].join(' || ');
  return `# untested: written from Traefik's documentation, not run by the tests
# Holdfast behind Traefik 3: a dynamic configuration for the file provider. WebSocket and streams pass
# as they are. In the static configuration, do not end long requests:
#   entryPoints.<name>.transport.respondingTimeouts.readTimeout: 0
http:
  routers:
    holdfast:
      rule: "Host(\`${publicHost}\`) && (${anyPath})"
      service: holdfast
  services:
    holdfast:
      loadBalancer:
        responseForwarding:
          flushInterval: 1ms
        servers:
          - url: "${scheme}://${upstreamHost}:${upstreamPort}"
`;
}
