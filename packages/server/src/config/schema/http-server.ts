import { flag, integer, secret, section, text } from '../option.ts';

const tlsShape = {
  enabled: flag(false, 'Serve HTTPS and WSS instead of HTTP and WS.'),
  cert_pem: text(
    '',
    'Certificate with its chain: PEM text, the same in base64, or the path of a file that holds it.',
  ),
  key_pem: secret('Private key of the certificate: PEM text, the same in base64, or a path.'),
  client_ca_pem: text(
    '',
    'Authorities whose client certificates are accepted; when set, each client must show one. PEM text, the same in base64, or a path.',
  ),
};

export const httpServer = section('The HTTP server: addresses, ports and TLS.', {
  address: text(
    'localhost',
    'Interface to listen on. `localhost` is the loopback interface in both IPv4 and IPv6; an empty value is every interface. Endpoints are open to whoever can reach this address.',
    { centrifugoDefault: '""' },
  ),
  port: integer(8000, 'Port for clients. `0` lets the system choose a free one.', { max: 65_535 }),
  internal_address: text(
    '',
    'Interface for the endpoints that are not for clients (API, metrics, health, admin). Needs `internal_port`. Empty: the same as `address`.',
  ),
  internal_port: integer(
    0,
    'Separate port for the endpoints that are not for clients. `0`: they are served on `port`.',
    { max: 65_535 },
  ),
  tls: section(
    'TLS of the port for clients, and of the internal port unless `internal_tls` is set.',
    tlsShape,
  ),
  tls_autocert: section('Certificates obtained automatically.', {
    enabled: flag(false, 'Cannot be turned on in this version.', {
      check: (isOn) =>
        isOn
          ? 'cannot be on: this version does not obtain certificates, and must not serve without TLS what was meant to have it (set http_server.tls, or put a proxy such as Caddy in front)'
          : undefined,
    }),
  }),
  tls_external: flag(false, 'TLS on the port for clients only; the internal port stays plain.'),
  internal_tls: section('TLS of the internal port.', tlsShape),
});
