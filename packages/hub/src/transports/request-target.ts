/** The parts of a request target: `path` without the query, and the query without its `?`. */
export interface RequestTarget {
  readonly path: string;
  readonly query: string;
}

/**
 * Splits `request.url`. Servers must accept the absolute form too, as `http://host/path` (RFC 9112
 * §3.2.2; for WebSocket RFC 6455 §4.1): the authority in it is dropped. Nothing is decoded or
 * normalised, so that a path is equal to ours or is not ours.
 */
export function requestTarget(url = ''): RequestTarget {
  const origin = url.startsWith('/') ? '' : (/^https?:\/\/[^/?#]*/i.exec(url)?.[0] ?? '');
  const mark = url.indexOf('?', origin.length);
  const end = mark === -1 ? url.length : mark;
  return { path: url.slice(origin.length, end) || '/', query: url.slice(end + 1) };
}
