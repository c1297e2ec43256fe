import type { Duplex } from 'node:stream';
import { type ServerResponse, STATUS_CODES } from 'node:http';

/** An answer that lets nobody in, as it goes over HTTP. */
export interface HttpRefusal {
  readonly status: number;
  /** Stable and machine-readable, as `origin_not_allowed`. */
  readonly code: string;
  /** What is wrong and what to do about it. Never repeats what the peer sent. */
  readonly message: string;
  /** Facts for programs, beside the error in the body. Made by us, never what the peer sent. */
  readonly details?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a request on a bare socket and ends it. */
export function refuseOnSocket(socket: Duplex, refusal: HttpRefusal): void {
  const { status, headers = {} } = refusal;
  const body = bodyOf(refusal);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/json',
    'Cache-Control: no-store',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.on('error', () => {
    // The peer is gone before it got its answer; there is nobody left to tell.
  });
  socket.once('finish', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

/** Answers a request. */
export function refuse(response: ServerResponse, refusal: HttpRefusal): void {
  const body = bodyOf(refusal);
  response.writeHead(refusal.status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...refusal.headers,
  });
  response.end(body);
}

function bodyOf({ code, message, details }: HttpRefusal): string {
  return `${JSON.stringify({ error: { code, message }, ...details })}\n`;
}
