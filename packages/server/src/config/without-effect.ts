import { schemaKey, type OptionPath } from './option-path.ts';

/** Options of Centrifugo that are understood but do nothing here, each with what the reader should know. */
export interface WithoutEffect {
  /** Keys without list indexes; everything below them is meant too. */
  readonly keys: readonly string[];
  readonly why: string;
}

/** Sections that describe a backend hook. */
const hookSections = [
  'client.proxy.connect',
  'client.proxy.refresh',
  'channel.proxy.subscribe',
  'channel.proxy.publish',
  'channel.proxy.sub_refresh',
  'channel.proxy.map_publish',
  'channel.proxy.map_remove',
  'channel.proxy.shared_poll_refresh',
  'rpc.proxy',
  'proxies',
];

const tlsSections = ['http_server.tls', 'http_server.internal_tls'];

const engineSections = ['engine', 'broker', 'presence_manager', 'map_broker'];

function below(sections: readonly string[], ...options: readonly string[]): string[] {
  return sections.flatMap((name) => options.map((option) => `${name}.${option}`));
}

/** Options that Centrifugo has and the schema has not. */
const unsupported: readonly WithoutEffect[] = [
  {
    keys: ['grpc_api', 'uni_grpc', ...below(hookSections, 'grpc', 'grpc_metadata')],
    why: 'gRPC is not supported; the same is offered over HTTP',
  },
  { keys: ['consumers'], why: 'queues are not consumed; publish through the HTTP API' },
  {
    keys: ['webtransport', 'http_server.http3', 'http_server.h2c_external'],
    why: 'HTTP/2, HTTP/3 and WebTransport are not served; WebSocket over HTTP/1.1 is',
  },
  {
    keys: ['http_server.tls_autocert'],
    why: 'certificates are not obtained automatically; put a proxy such as Caddy in front, or set http_server.tls',
  },
  {
    keys: below(tlsSections, 'server_ca_pem', 'insecure_skip_verify', 'server_name'),
    why: 'it concerns the other end of a connection',
  },
  {
    keys: below(hookSections, 'http.tls'),
    why: 'backends are checked against the certificates that Node trusts; add yours with NODE_EXTRA_CA_CERTS',
  },
  {
    keys: ['controller', ...below(engineSections, 'redis', 'nats', 'postgres', 'redisnats')],
    why: 'this version keeps live state in the memory of one process',
  },
  {
    keys: ['channel.proxy.subscribe_stream'],
    why: 'streams of publications from the backend need gRPC, which is not supported',
  },
  {
    keys: ['opentelemetry', 'graphite', 'debug'],
    why: 'metrics are offered in Prometheus format only',
  },
  {
    keys: [
      'prometheus.instrument_http_handlers',
      'prometheus.recovered_publications_histogram',
      'prometheus.native_histograms',
    ],
    why: 'the set of metrics is fixed',
  },
  { keys: ['usage_stats'], why: 'no usage statistics are sent by this program at all' },
  {
    keys: below(
      ['websocket', 'uni_websocket'],
      'read_buffer_size',
      'write_buffer_size',
      'use_write_buffer_pool',
      'compression_level',
    ),
    why: 'buffers and compression are tuned by the program itself',
  },
  {
    keys: below(['websocket', 'uni_websocket'], 'decompressed_message_size_limit'),
    why: 'message_size_limit holds for decompressed messages too',
  },
  {
    keys: ['client.channel_position_max_time_lag'],
    why: 'positions are compared by offset, not by time',
  },
  {
    keys: below(['admin'], 'web_path', 'web_proxy_address'),
    why: 'the admin interface is part of the program',
  },
  { keys: ['enable_unreleased_features'], why: 'there are no hidden features' },
  {
    keys: [
      'channel.without_namespace.subscribe_stream_proxy_name',
      'channel.without_namespace.subscribe_stream_proxy_bidirectional',
      'channel.namespaces.subscribe_stream_proxy_name',
      'channel.namespaces.subscribe_stream_proxy_bidirectional',
    ],
    why: 'streams of publications from the backend need gRPC, which is not supported',
  },
];

/** Options that the schema has because their feature is on its way. */
const notYet: readonly WithoutEffect[] = [
  {
    keys: [
      'client.connect_code_to_unidirectional_disconnect',
      'uni_sse.connect_code_to_http_response',
      'uni_http_stream.connect_code_to_http_response',
    ],
    why: 'one-way clients are told errors on connect as they are',
  },
  {
    keys: below(
      ['uni_websocket'],
      'compression',
      'compression_min_size',
      'write_timeout',
      'message_size_limit',
      'max_fragments',
    ),
    why: 'one-way WebSockets have the limits of the section websocket',
  },
  {
    keys: below(
      ['uni_websocket'],
      'disable_closing_handshake',
      'disable_disconnect_push',
      'join_push_messages',
    ),
    why: 'this cannot be chosen in this version',
  },
  {
    keys: engineSections,
    why: 'this version keeps live state in the memory of one process',
  },
];

function lookUp(
  entries: readonly WithoutEffect[],
  path: OptionPath,
): { readonly key: string; readonly why: string } | undefined {
  const key = schemaKey(path);
  for (const { keys, why } of entries) {
    const found = keys.find((prefix) => key === prefix || key.startsWith(`${prefix}.`));
    if (found !== undefined) return { key: found, why };
  }
  return undefined;
}

/** Options of Centrifugo that the schema does not have, by the reason why. */
export function unsupportedKeys(): readonly WithoutEffect[] {
  return unsupported;
}

/** Whether a key that the schema does not have is one of Centrifugo's, and why it has no effect here. */
export function unsupportedReason(path: OptionPath): string | undefined {
  return lookUp(unsupported, path)?.why;
}

/** Whether an option of the schema has no effect in this version, and why. */
export function notYetReason(path: OptionPath): string | undefined {
  return lookUp(notYet, path)?.why;
}
