import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { proxyConfig, type ProxyName } from '@holdfast/server';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '@holdfast/store/testing/free-port';
import { Authority, type CertificateFiles, type CertificateOptions } from './certificates.ts';
import {
  examineProxy,
  startProxiedServer,
  troubles,
  tryCentrifuge,
  tryEventSource,
  tryWebSocket,
} from './proxied-server.ts';
import { startApache, startCaddy, startHaproxy, startNginx, type RealProxy } from './real-proxy.ts';

const authority = new Authority();
const stranger = new Authority();
afterAll(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});
// As NODE_EXTRA_CA_CERTS does: every client of this file trusts the one authority and not the other.
setDefaultCACertificates([...getCACertificates('default'), authority.root]);
const certificate = authority.issue();

const page = 'https://app.example';
const sections = { client: { allowed_origins: ['https://127.0.0.1:*', page] } };

interface TlsProxy {
  readonly name: ProxyName;
  readonly start: (port: number, text: string) => Promise<RealProxy>;
  /** Turns TLS on, as the comments of the configuration say. */
  readonly secure: (text: string, port: number, files: CertificateFiles) => string;
  /** What the doctor says about WebSocket over HTTP/2. */
  readonly http2: RegExp;
}

const proxies: readonly TlsProxy[] = [
  {
    name: 'nginx',
    start: startNginx,
    secure: (text, port, { cert, key }) =>
      text.replace(
        `listen ${port};`,
        `listen ${port} ssl http2; ssl_certificate ${cert}; ssl_certificate_key ${key};`,
      ),
    http2: /without extended CONNECT/,
  },
  {
    name: 'haproxy',
    start: startHaproxy,
    secure: (text, port, { both }) =>
      text.replace(`bind :${port}`, `bind :${port} ssl crt ${both} alpn h2,http/1.1`),
    http2: /WebSocket over HTTP\/2 works/,
  },
  {
    name: 'caddy',
    start: startCaddy,
    secure: (text, port, { cert, key }) =>
      text.replace(
        `http://127.0.0.1:${port} {`,
        `https://127.0.0.1:${port} {\n  tls ${cert} ${key}`,
      ),
    http2: /without extended CONNECT/,
  },
  {
    name: 'apache',
    start: startApache,
    secure: (text, _port, { cert, key }) =>
      text.replace(
        'ServerName 127.0.0.1',
        `ServerName 127.0.0.1\nSSLEngine on\nSSLCertificateFile ${cert}\nSSLCertificateKeyFile ${key}`,
      ),
    http2: /not offered/,
  },
];

test.each(proxies)('$name as proxy-config has it, with TLS', async ({ name, ...proxied }) => {
  await using server = await startProxiedServer(sections);
  const { listenPort, settings, running } = server;
  const text = proxied.secure(proxyConfig(name, settings), listenPort, certificate);
  await using proxy = await proxied.start(listenPort, text);
  const url = proxy.url.replace('http:', 'https:');
  expect(await tryWebSocket(url)).toBe(101);
  for (const transport of ['websocket', 'http_stream', 'sse'] as const) {
    expect(await tryCentrifuge(server, url, [transport])).toBe(transport);
  }
  await tryEventSource(server, url);
  const findings = await examineProxy(url, { channel: 'recovered', origin: page });
  expect(troubles(findings)).toEqual({});
  expect(findings.get('tls')?.evidence).toContain('certificate of middle for 29 more days');
  expect(findings.get('http2')?.evidence).toMatch(proxied.http2);
  // The server knows that its page came over TLS, although its own connection did not.
  expect(running.hub.metrics.proxyFaults.counts.size).toBe(0);
});

test('a proxy that ends TLS and does not say so is named by the server', async () => {
  await using server = await startProxiedServer(sections);
  const { cert, key } = certificate;
  await using proxy = await startNginx(
    server.listenPort,
    `server { listen 127.0.0.1:${server.listenPort} ssl; ssl_certificate ${cert}; ssl_certificate_key ${key};
  location / { proxy_pass http://127.0.0.1:${server.port}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; } }`,
  );
  await examineProxy(proxy.url.replace('http:', 'https:'), { origin: page });
  expect(server.warnings).toEqual([
    expect.objectContaining({
      kind: 'tls_offload',
      proxy: '127.0.0.1',
      msg: expect.stringContaining('X-Forwarded-Proto $scheme'),
    }),
  ]);
});

describe('a certificate that clients refuse is named', () => {
  test.each<readonly [string, Authority, CertificateOptions, string, string]>([
    ['expired', authority, { days: -1 }, 'has expired', 'Renew it'],
    [
      'for another name',
      authority,
      { subjectAltName: 'DNS:elsewhere.example' },
      'for another name',
      'Get one for this name',
    ],
    ['without its intermediate', authority, { isBare: true }, 'incomplete', 'fullchain.pem'],
    ['of a strange authority', stranger, {}, 'not trusted here', 'NODE_EXTRA_CA_CERTS'],
  ])('%s', async (...[, issuer, options, cause, mend]) => {
    const port = await freePort();
    const { cert, key } = issuer.issue(options);
    await using _proxy = await startNginx(
      port,
      `server { listen 127.0.0.1:${port} ssl; ssl_certificate ${cert}; ssl_certificate_key ${key}; }`,
    );
    const findings = await examineProxy(`https://127.0.0.1:${port}`);
    expect(troubles(findings)).toEqual({ tls: 'fail' });
    expect(findings.get('tls')).toMatchObject({
      evidence: expect.stringMatching(
        /a certificate for .*, from middle, until .*, [1-3] in the chain/,
      ),
      cause: expect.stringContaining(cause),
      mend: expect.stringContaining(mend),
    });
  });

  test('TLS where there is none', async () => {
    await using server = await startProxiedServer();
    const findings = await examineProxy(`https://127.0.0.1:${server.port}`);
    expect(troubles(findings)).toEqual({ tls: 'fail' });
    expect(findings.get('tls')?.cause).toContain('does not speak TLS');
  });
});

test('WebSocket over HTTP/2 that is offered and does not work is named', async () => {
  const proxy = createSecureServer({
    cert: readFileSync(certificate.cert),
    key: readFileSync(certificate.key),
    allowHTTP1: true,
    settings: { enableConnectProtocol: true },
  });
  // To an extended CONNECT without a listener of its own node:http2 answers 405.
  proxy.on('request', (_request, response) => response.writeHead(404).end());
  proxy.listen(0, '127.0.0.1');
  onTestFinished(() => void proxy.close());
  await once(proxy, 'listening');
  const findings = await examineProxy(`https://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  expect(findings.get('http2')).toMatchObject({
    status: 'fail',
    evidence: 'extended CONNECT: HTTP 405',
    mend: expect.stringContaining('h2-workaround-bogus-websocket-clients'),
  });
});
