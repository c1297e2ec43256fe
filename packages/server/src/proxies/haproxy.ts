import type { ProxySettings } from './proxy-settings.ts';

/** A whole `haproxy.cfg`. */
export function haproxyConfig(settings: ProxySettings): string {
  const { upstreamHost, upstreamPort, idleSeconds, paths, trees } = settings;
  const tls = settings.isUpstreamTls ? ' ssl verify required ca-file @system-ca' : '';
  const below =
    trees.length === 0
      ? ''
      : `    acl is_holdfast path_beg ${trees.map((tree) => `${tree}/`).join(' ')}\n`;
  return `# Holdfast behind HAProxy. Save as /etc/haproxy/haproxy.cfg, then: systemctl reload haproxy
# A reload keeps open connections in the old process; hard-stop-after cuts them. Each client takes two
# file descriptors: HAProxy serves as many as half of its limit (LimitNOFILE of its unit).

defaults
    mode http
    timeout connect 5s
    timeout http-request 10s
    # Several times the ping interval of the server: streams are subject to these two ...
    timeout client ${idleSeconds}s
    timeout server ${idleSeconds}s
    # ... and WebSocket, once open, to this one alone.
    timeout tunnel ${idleSeconds}s

frontend clients
    bind :${settings.listenPort}
    # With TLS: bind :443 ssl crt /etc/haproxy/certificate.pem alpn h2,http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto https if { ssl_fc }
    http-request set-header X-Forwarded-Proto http unless { ssl_fc }
    acl is_holdfast path ${[...paths, ...trees].join(' ')}
${below}    http-request deny deny_status 413 if { req.body_size gt ${settings.maxBodyBytes} }
    http-request return status 404 content-type text/plain string "not found" unless is_holdfast
    use_backend holdfast if is_holdfast

backend holdfast
    server node1 ${upstreamHost}:${upstreamPort}${tls}
`;
}
