import type { ProxySettings } from './proxy-settings.ts';

/** A Caddyfile. */
export function caddyConfig(settings: ProxySettings): string {
  const { upstreamHost, upstreamPort, listenPort, publicHost, paths, trees } = settings;
  const scheme = settings.isUpstreamTls ? 'https' : 'http';
  const site = listenPort === 80 ? publicHost : `http://${publicHost}:${listenPort}`;
  return `# Holdfast behind Caddy. Save as /etc/caddy/Caddyfile, then: caddy reload --config /etc/caddy/Caddyfile
# A name without scheme gets its certificate by itself. WebSocket and streams pass as they are; Caddy
# has no idle timeout for them. A reload closes every WebSocket at once (clients come back and
# recover); from 2.7 on, stream_close_delay 5m inside reverse_proxy spreads that.

${site} {
    @holdfast path ${[...paths, ...trees.flatMap((tree) => [tree, `${tree}/*`])].join(' ')}
    handle @holdfast {
        request_body {
            max_size ${settings.maxBodyBytes}
        }
        reverse_proxy ${scheme}://${upstreamHost}:${upstreamPort}
    }
}
`;
}
