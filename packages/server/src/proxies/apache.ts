import type { ProxySettings } from './proxy-settings.ts';

/** A virtual host for Apache 2.4.47 or later. */
export function apacheConfig(settings: ProxySettings): string {
  const { upstreamHost, upstreamPort, idleSeconds, paths, trees } = settings;
  const upstream = `${settings.isUpstreamTls ? 'https' : 'http'}://${upstreamHost}:${upstreamPort}`;
  // Apache takes what is below a path along with it.
  const passes = [...paths, ...trees].map(
    (path) =>
      `    ProxyPass "${path}" "${upstream}${path}" upgrade=websocket timeout=${idleSeconds} flushpackets=on`,
  );
  return `# Holdfast behind Apache (2.4.47 or later). Save as /etc/apache2/sites-available/holdfast.conf, then:
#   a2enmod proxy proxy_http headers && a2ensite holdfast && apachectl graceful
# Each open connection takes a worker: raise MaxRequestWorkers of the event MPM (150 by default).

<VirtualHost *:${settings.listenPort}>
    ServerName ${settings.publicHost}
    # With TLS: <VirtualHost *:443>, SSLEngine on, SSLCertificateFile ..., SSLCertificateKeyFile ...

    ProxyPreserveHost On
    RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}
    LimitRequestBody ${settings.maxBodyBytes}
    # upgrade=websocket lets WebSocket through; the timeout is several times the server's pings.
${passes.join('\n')}
</VirtualHost>
${settings.isUpstreamTls ? 'SSLProxyEngine on\n' : ''}`;
}
