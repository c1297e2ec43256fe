import type { IncomingHttpHeaders } from 'node:http';

/** What of a request tells whether it was meant to be a WebSocket handshake. */
export interface RequestHead {
  readonly method?: string | undefined;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
}

/** A WebSocket handshake that reached us without what makes it one, and who took it away. */
export interface StrippedUpgrade {
  /** The proxy that leaves this fingerprint. */
  readonly proxy: 'nginx' | 'apache' | 'unknown';
  /** Headers that are missing or say something else than a handshake needs. */
  readonly missing: readonly ('Upgrade' | 'Connection')[];
  /** One sentence: what happened on the way. */
  readonly cause: string;
  /** Lines for the configuration of that proxy; empty when it is not known. */
  readonly lines: readonly string[];
  /**
   * Whether 101 can be answered all the same: nobody else's request can follow on this connection,
   * and no proxy that would wait for another answer after 101 is in the way.
   */
  readonly isRescuable: boolean;
}

const nginxLines = [
  'proxy_http_version 1.1;',
  'proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Connection "upgrade";',
  'proxy_set_header Host $http_host;',
];

const nginxPooledLines = [
  '# in the http block:',
  'map $http_upgrade $connection_upgrade { default upgrade; "" ""; }',
  '# in the location:',
  'proxy_http_version 1.1;',
  'proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Connection $connection_upgrade;',
  'proxy_set_header Host $http_host;',
];

const apacheLines = ['ProxyPass "/" "http://127.0.0.1:8000/" upgrade=websocket'];

/**
 * Recognises a WebSocket handshake that lost `Upgrade` or `Connection: Upgrade` on its way: clients
 * send `Sec-WebSocket-Key` in nothing else, and web pages cannot set it. Undefined for every other
 * request. The fingerprints are those of the proxies as they were measured.
 */
export function strippedUpgrade({
  method,
  httpVersion,
  headers,
}: RequestHead): StrippedUpgrade | undefined {
  if (method !== 'GET' || headers['sec-websocket-key'] === undefined) return undefined;
  const hasUpgrade = headers.upgrade?.toLowerCase() === 'websocket';
  // Somebody asks for another protocol, and that is answered as such.
  if (!hasUpgrade && headers.upgrade !== undefined) return undefined;
  const connection = tokensOf(headers.connection);
  if (hasUpgrade && connection.includes('upgrade')) return undefined;
  const missing = hasUpgrade ? (['Connection'] as const) : (['Upgrade', 'Connection'] as const);
  const isLast = httpVersion === '1.0' || connection.includes('close');
  const hasBody =
    headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
  const isRescuable =
    isLast &&
    !hasBody &&
    !connection.includes('keep-alive') &&
    headers['x-forwarded-server'] === undefined;
  const common = { missing, isRescuable };
  if (headers['x-forwarded-server'] !== undefined) {
    const cause = 'Apache passes the request with ProxyPass but without upgrade=websocket';
    return { ...common, proxy: 'apache', cause, lines: apacheLines };
  }
  if (hasUpgrade) {
    const cause = 'nginx sets the Upgrade header but not Connection';
    return {
      ...common,
      proxy: isLast ? 'nginx' : 'unknown',
      cause: isLast ? cause : unknownCause,
      lines: isLast ? nginxLines : [],
    };
  }
  if (httpVersion === '1.0') {
    const cause =
      'nginx passes the request with a bare proxy_pass: HTTP/1.0, without the headers of the handshake';
    return { ...common, proxy: 'nginx', cause, lines: nginxLines };
  }
  if (connection.includes('close')) {
    const cause =
      'nginx speaks HTTP/1.1 to this server but does not pass the headers of the handshake';
    return { ...common, proxy: 'nginx', cause, lines: nginxLines };
  }
  if (connection.length === 0) {
    const cause =
      'nginx keeps its connections to this server open (Connection "") and does not pass the headers of the handshake';
    return { ...common, proxy: 'nginx', cause, lines: nginxPooledLines };
  }
  return { ...common, proxy: 'unknown', cause: unknownCause, lines: [] };
}

const unknownCause =
  'a proxy on the way does not pass the headers Upgrade and Connection, which belong to one hop and must be set anew on each';

function tokensOf(header = ''): readonly string[] {
  return header
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
}

/** Names the hosted proxy that a request came through, by the headers that it adds. */
export function edgeOf(headers: IncomingHttpHeaders): string | undefined {
  if (headers['cf-ray'] !== undefined) return 'Cloudflare';
  if (headers['x-amz-cf-id'] !== undefined) return 'Amazon CloudFront';
  if (headers['x-amzn-trace-id'] !== undefined) return 'an AWS load balancer';
  if (/\bgoogle\b/i.test(headers.via ?? '')) return 'a Google Cloud load balancer';
  if (headers['fly-request-id'] !== undefined) return 'Fly.io';
  return undefined;
}
