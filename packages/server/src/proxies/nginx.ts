import type { ProxySettings } from './proxy-settings.ts';

/** A site for nginx: belongs into the `http` block, as files of `conf.d` and `sites-enabled` do. */
export function nginxConfig(settings: ProxySettings): string {
  const { upstreamHost, upstreamPort, idleSeconds, paths, trees } = settings;
  const scheme = settings.isUpstreamTls ? 'https' : 'http';
  return `# Holdfast behind nginx. Save as /etc/nginx/conf.d/holdfast.conf, then: nginx -t && nginx -s reload
# Each client takes two of worker_connections (in the events block; the default of 512 serves 256
# clients). A reload keeps open connections; do not set worker_shutdown_timeout, which cuts them.

map $http_upgrade $holdfast_connection {
    default upgrade;
    ""      "";
}

upstream holdfast {
    server ${upstreamHost}:${upstreamPort};
    keepalive 64;
}

server {
    listen ${settings.listenPort};
    # With TLS: listen 443 ssl; ssl_certificate ...; ssl_certificate_key ...;
    server_name ${settings.publicHost};

    location ~ ^(?:${[...paths.map(escapeRegex), ...trees.map((tree) => `${escapeRegex(tree)}(?:/.*)?`)].join('|')})$ {
        proxy_pass ${scheme}://holdfast;
        # These three let WebSocket through.
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $holdfast_connection;

        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        # Several times the ping interval of the server.
        proxy_read_timeout ${idleSeconds}s;
        proxy_send_timeout ${idleSeconds}s;
        proxy_buffering off;
        gzip off;
        client_max_body_size ${settings.maxBodyBytes};
    }
}
`;
}

function escapeRegex(path: string): string {
  return path.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
