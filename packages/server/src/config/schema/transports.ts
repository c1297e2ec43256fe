import { duration, flag, integer, section, sectionList, text } from '../option.ts';
import { pathPrefix } from './path-prefix.ts';

const bodyLimit = integer(65_536, 'Longest request body in bytes.', { min: 1 });

const websocketShape = {
  compression: flag(
    false,
    'Offer permessage-deflate. Saves bandwidth, costs memory and processor time for each connection.',
  ),
  compression_min_size: integer(1_024, 'Shorter messages are sent as they are. In bytes.', {
    centrifugoDefault: '0',
  }),
  write_timeout: duration('5s', 'Time that one write may take before the connection ends (3009).', {
    centrifugoDefault: '1s',
  }),
  message_size_limit: integer(
    65_536,
    'Longest message of a client in bytes, on the wire and decompressed.',
    { min: 1 },
  ),
  max_fragments: integer(128, 'Most fragments of one message.', { own: true, min: 1 }),
};

export const websocket = section('The WebSocket transport.', {
  disabled: flag(false, 'Do not serve WebSocket.'),
  handler_prefix: pathPrefix('/connection/websocket', 'the endpoint'),
  rescue_stripped_handshakes: flag(
    true,
    'Accept a WebSocket handshake whose `Upgrade` header a proxy removed, where that is safe: over HTTP/1.0, or with `Connection: close`. All others are answered with 426 and what to change in the proxy. Holds for one-way WebSocket too.',
    { own: true },
  ),
  ...websocketShape,
});

export const httpStream = section('The HTTP streaming transport, for networks without WebSocket.', {
  enabled: flag(true, 'Serve the transport.', { centrifugoDefault: 'false' }),
  handler_prefix: pathPrefix('/connection/http_stream', 'the endpoint'),
  max_request_body_size: bodyLimit,
});

export const sse = section('The SSE transport, for networks without WebSocket.', {
  enabled: flag(true, 'Serve the transport.', { centrifugoDefault: 'false' }),
  handler_prefix: pathPrefix('/connection/sse', 'the endpoint'),
  max_request_body_size: bodyLimit,
});

export const polling = section(
  'The polling transport, for networks that let nothing through but whole answers.',
  {
    enabled: flag(true, 'Serve the transport.', { own: true }),
    handler_prefix: pathPrefix('/connection/polling', 'the endpoint', { own: true }),
    max_request_body_size: integer(65_536, 'Longest request body in bytes.', { own: true, min: 1 }),
    poll_timeout: duration(
      '20s',
      'How long a poll waits for something to say. Keep it below the time that proxies wait for an answer.',
      { own: true, check: ({ ms }) => (ms < 1_000 ? 'is shorter than 1s' : undefined) },
    ),
  },
);

export const emulation = section(
  'Takes the commands of HTTP streaming and SSE clients; served when one of these is enabled.',
  {
    handler_prefix: pathPrefix('/emulation', 'the endpoint'),
    max_request_body_size: bodyLimit,
  },
);

const connectCodeToHttpResponse = section('Which HTTP response an error on connect becomes.', {
  enabled: flag(false, 'Use `transforms`.'),
  transforms: sectionList('Responses by error code.', {
    code: integer(0, 'Error code of connect.', { max: 1_999 }),
    to: section('The response.', {
      status_code: integer(0, 'HTTP status.', { max: 599 }),
      body: text('', 'Body.'),
    }),
  }),
});

export const uniSse = section('Server-sent events without commands (`EventSource`).', {
  enabled: flag(false, 'Serve the transport.'),
  handler_prefix: pathPrefix('/connection/uni_sse', 'the endpoint'),
  max_request_body_size: bodyLimit,
  connect_code_to_http_response: connectCodeToHttpResponse,
});

export const uniHttpStream = section('HTTP streaming without commands.', {
  enabled: flag(false, 'Serve the transport.'),
  handler_prefix: pathPrefix('/connection/uni_http_stream', 'the endpoint'),
  max_request_body_size: bodyLimit,
  connect_code_to_http_response: connectCodeToHttpResponse,
});

export const uniWebsocket = section('WebSocket without commands.', {
  enabled: flag(false, 'Serve the transport.'),
  handler_prefix: pathPrefix('/connection/uni_websocket', 'the endpoint'),
  ...websocketShape,
  disable_closing_handshake: flag(false, 'End connections without a close frame.'),
  disable_disconnect_push: flag(false, 'Send no disconnect push before the close frame.'),
  join_push_messages: flag(false, 'Several pushes may share one frame.'),
});

export const init = section(
  'Answers `{}`, for a browser to get cookies and routing before it connects.',
  {
    enabled: flag(true, 'Serve the endpoint.', { centrifugoDefault: 'false' }),
    handler_prefix: pathPrefix('/connection/init', 'the endpoint'),
  },
);
