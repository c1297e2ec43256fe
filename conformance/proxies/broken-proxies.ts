import type { CheckName, Finding } from '@holdfast/server';
import type { ProxiedServer, TransportName } from './proxied-server.ts';
import { startApache, startHaproxy, startNginx, type RealProxy } from './real-proxy.ts';

/** A way to set a proxy up wrongly, and what comes of it. */
export interface BrokenProxy {
  readonly name: string;
  start(server: ProxiedServer): Promise<RealProxy>;
  /** How a plain `ws` client is answered. */
  readonly handshake: 101 | 426;
  /** What `centrifuge` tries, and which of it carries it in the end. */
  readonly centrifuge: readonly [tries: readonly TransportName[], connectsWith: TransportName];
  /** Whether an `EventSource` gets messages as they come. */
  readonly isStreamLive: boolean;
  /** The checks of the doctor that do not pass. */
  readonly troubles: Partial<Record<CheckName, Finding['status']>>;
  /** The check that names the fault, and its words. */
  readonly named: readonly [check: CheckName, cause: RegExp, mend: RegExp];
}

function nginx(location: string, http = '') {
  return ({ listenPort, port }: ProxiedServer): Promise<RealProxy> =>
    startNginx(
      listenPort,
      `${http}
upstream hub { server 127.0.0.1:${port}; keepalive 8; }
server { listen 127.0.0.1:${listenPort}; location / { proxy_pass http://hub; ${location} } }`,
    );
}

function apache(lines: string, parameters = '') {
  return ({ listenPort, port }: ProxiedServer): Promise<RealProxy> =>
    startApache(listenPort, `${lines}\nProxyPass "/" "http://127.0.0.1:${port}/" ${parameters}`);
}

function haproxy(timeouts: string) {
  return ({ listenPort, port }: ProxiedServer): Promise<RealProxy> =>
    startHaproxy(
      listenPort,
      `defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  ${timeouts}
frontend clients
  bind 127.0.0.1:${listenPort}
  default_backend hub
backend hub
  server node1 127.0.0.1:${port}
`,
    );
}

/** Passes the handshake of a WebSocket on. */
export const upgrade =
  'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_set_header Host $http_host;';

/** Answers go out when they are whole, or fill a large buffer: the request not to do so is ignored. */
export const collects = `proxy_ignore_headers X-Accel-Buffering; proxy_buffering on;
  proxy_buffers 64 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k;`;

const rescued = {
  handshake: 101,
  centrifuge: [['websocket'], 'websocket'],
  isStreamLive: true,
  troubles: { upgrade: 'warn' },
  named: ['upgrade', /\(nginx\) removes the headers Upgrade and Connection/, /proxy-config nginx/],
} as const;

const refusedByApache = {
  handshake: 426,
  centrifuge: [['websocket', 'sse'], 'sse'],
  isStreamLive: true,
  troubles: { upgrade: 'fail' },
  named: ['upgrade', /Apache passes the request with ProxyPass/, /upgrade=websocket/],
} as const;

/** Proxies that strip the handshake of its headers, or keep answers that nobody may keep. */
export const brokenProxies: readonly BrokenProxy[] = [
  { name: 'nginx with a bare proxy_pass, HTTP/1.0', start: nginx(''), ...rescued },
  { name: 'nginx with HTTP/1.1 alone', start: nginx('proxy_http_version 1.1;'), ...rescued },
  {
    name: 'nginx with Upgrade alone',
    start: nginx('proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;'),
    ...rescued,
  },
  {
    name: 'nginx with Connection "" and connections kept open',
    start: nginx('proxy_http_version 1.1; proxy_set_header Connection "";'),
    handshake: 426,
    centrifuge: [['websocket', 'http_stream'], 'http_stream'],
    isStreamLive: true,
    troubles: { upgrade: 'fail' },
    named: [
      'upgrade',
      /nginx keeps its connections to this server open/,
      /proxy_set_header Connection \$connection_upgrade;/,
    ],
  },
  { name: 'Apache without upgrade=websocket', start: apache(''), ...refusedByApache },
  {
    name: 'Apache that closes its connections',
    start: apache('SetEnv proxy-nokeepalive 1'),
    ...refusedByApache,
  },
  {
    name: 'nginx that caches what says no-store',
    start: nginx(
      `${upgrade} proxy_cache answers; proxy_cache_valid any 1m; proxy_ignore_headers Cache-Control Expires Vary; add_header X-Cache-Status $upstream_cache_status always;`,
      'proxy_cache_path cache keys_zone=answers:1m;',
    ),
    handshake: 101,
    centrifuge: [['websocket'], 'websocket'],
    isStreamLive: true,
    troubles: { http: 'fail' },
    named: ['http', /A cache answered in place of the server/, /proxy_cache off/],
  },
];

/** nginx that collects responses although it is asked not to. */
export const collectingProxies: readonly BrokenProxy[] = [
  {
    name: 'nginx that buffers responses',
    start: nginx('proxy_ignore_headers X-Accel-Buffering;'),
    handshake: 101,
    centrifuge: [['websocket'], 'websocket'],
    isStreamLive: false,
    troubles: { upgrade: 'warn', http_stream: 'fail', sse: 'fail' },
    named: ['sse', /collects the response/, /proxy_buffering off/],
  },
  {
    name: 'nginx that compresses them',
    start: nginx(
      `${upgrade} proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types text/event-stream application/json;`,
    ),
    handshake: 101,
    centrifuge: [['websocket'], 'websocket'],
    isStreamLive: false,
    troubles: { http_stream: 'fail', sse: 'fail' },
    named: ['http_stream', /collects the response/, /gzip off/],
  },
];

/** nginx that has rules of its own for polling. */
function nginxPolling(lines: string, http = '') {
  const location = `${upgrade} } location = /connection/polling { proxy_pass http://hub; ${lines}`;
  return nginx(location, http);
}

const pollingFails = {
  handshake: 101,
  centrifuge: [['websocket'], 'websocket'],
  isStreamLive: true,
  troubles: { polling: 'fail' },
} as const;

/** Proxies through which everything gets but polling. */
export const pollingProxies: readonly BrokenProxy[] = [
  {
    name: 'nginx that caches answers to POST',
    start: nginxPolling(
      'proxy_cache answers; proxy_cache_methods POST; proxy_cache_key $uri; proxy_cache_valid any 1m; proxy_ignore_headers Cache-Control Expires;',
      'proxy_cache_path cache keys_zone=answers:1m;',
    ),
    ...pollingFails,
    named: ['polling', /A cache answered a POST/, /no proxy_cache_methods POST/],
  },
  {
    name: 'nginx that forbids POST',
    start: nginxPolling('limit_except GET { deny all; }'),
    ...pollingFails,
    named: ['polling', /does not reach the transport/, /Route this path/],
  },
  {
    name: 'nginx that has another server for its path',
    start: nginxPolling('return 200 "{}";'),
    ...pollingFails,
    named: ['polling', /Something else answers this path/, /Route this path/],
  },
  {
    name: 'nginx that does not pass its path',
    start: nginxPolling('return 404;'),
    ...pollingFails,
    troubles: { polling: 'warn' },
    named: ['polling', /turned off, or the proxy does not pass its path/, /Route this path/],
  },
  {
    name: 'nginx that takes one request of a client at a time',
    start: nginxPolling('limit_conn clients 1;', 'limit_conn_zone $uri zone=clients:1m;'),
    ...pollingFails,
    named: ['polling', /refused while another/, /limit_conn/],
  },
  {
    name: 'nginx that delays requests',
    start: nginxPolling(
      'limit_req zone=requests burst=20;',
      'limit_req_zone $uri zone=requests:1m rate=30r/m;',
    ),
    ...pollingFails,
    named: ['polling', /waits until another one/, /limit_req/],
  },
];

const cut = {
  handshake: 101,
  centrifuge: [['websocket'], 'websocket'],
  isStreamLive: true,
  troubles: { idle: 'fail', silence: 'fail', polling: 'warn' },
  named: ['silence', /silent for [1-3] s.*pings every 25 s/, /client\.ping_interval/],
} as const;

/** Proxies that give connections up after two seconds of silence. */
export const impatientProxies: readonly BrokenProxy[] = [
  {
    name: 'nginx with proxy_read_timeout 2s',
    start: nginx(`${upgrade} proxy_read_timeout 2s;`),
    ...cut,
  },
  {
    name: 'HAProxy with timeout tunnel 2s',
    start: haproxy('timeout tunnel 2s'),
    ...cut,
    troubles: { idle: 'fail', silence: 'fail' },
  },
  {
    name: 'HAProxy with timeout server 2s for streams',
    start: haproxy('timeout tunnel 1h\n  timeout server 2s'),
    ...cut,
    troubles: { silence: 'fail', polling: 'warn' },
  },
  {
    // For a tunnel the longer of the two counts.
    name: 'Apache with Timeout 2 and timeout=2',
    start: apache('Timeout 2', 'upgrade=websocket timeout=2 flushpackets=on'),
    ...cut,
  },
];
