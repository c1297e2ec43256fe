import { type HandshakeAnswer, foreignVerdict, printable } from './judge-handshake.ts';
import type { Finding } from './finding.ts';

/** What came over a streaming response. Times in milliseconds since the request. */
export interface StreamObservation {
  readonly answer: Pick<HandshakeAnswer, 'status' | 'headers'> | undefined;
  readonly headAfterMs: number | undefined;
  /** When the answer to connect arrived; undefined when it did not. */
  readonly firstMessageAfterMs: number | undefined;
  /** Whether the response goes on; it ends where the server did not let the doctor in. */
  readonly isOpen: boolean;
  readonly waitedMs: number;
  /** HTTP status of the command sent beside the stream, and whether its reply came over the stream. */
  readonly command?: { readonly status: number; readonly isReplied: boolean };
}

/** Says whether a stream is passed on as it comes. */
export function judgeStream(observation: StreamObservation): Finding {
  const { answer, firstMessageAfterMs, waitedMs, isOpen, command } = observation;
  if (answer === undefined) {
    return {
      status: 'fail',
      evidence: `not even the head of the response in ${waitedMs} ms`,
      cause: 'A proxy collects the response before it passes anything on.',
      mend: 'Turn buffering off for this path (nginx: proxy_buffering off, and no proxy_ignore_headers X-Accel-Buffering; gzip off).',
    };
  }
  const { status, headers } = answer;
  if (status !== 200) return judgeRoute(answer);
  const coding = headers['content-encoding'];
  if (firstMessageAfterMs === undefined && !isOpen) {
    return {
      status: 'fail',
      evidence: `HTTP 200, ${printable(headers['content-type'] ?? 'of no type')}, which ended without a message`,
      cause: 'Something else answers this path, such as the fallback of a web application.',
      mend: fallbackRoute,
    };
  }
  if (firstMessageAfterMs === undefined) {
    return {
      status: 'fail',
      evidence: `the head came, but no message in ${waitedMs} ms${coding === undefined ? '' : `, content-encoding: ${printable(coding)}`}`,
      cause:
        coding === undefined
          ? 'A proxy collects the body before it passes it on.'
          : 'A proxy compresses the stream and collects it for that.',
      mend: 'Turn buffering and compression off for this path.',
    };
  }
  const evidence = `first message after ${Math.round(firstMessageAfterMs)} ms`;
  if (!isOpen)
    return { status: 'skip', evidence: `${evidence}; the server did not let the doctor in` };
  if (command !== undefined && !command.isReplied) {
    return {
      status: 'fail',
      evidence: `${evidence}; the command beside it: HTTP ${command.status}`,
      cause: 'Commands of streaming clients do not reach the server or node that has the stream.',
      mend: 'Route the path of emulation (/emulation) to the server, with POST.',
    };
  }
  return { status: 'pass', evidence };
}

const fallbackRoute =
  'Route this path to the server like that of WebSocket: it is what clients fall back to.';

/** Says what an answer other than 200 means for a transport that clients fall back to. */
export function judgeRoute(answer: Pick<HandshakeAnswer, 'status' | 'headers'>): Finding {
  const { status } = answer;
  const evidence = `HTTP ${status}`;
  if (status >= 500)
    return { status: 'fail', evidence, ...foreignVerdict({ ...answer, body: '' }) };
  return {
    status: status === 404 ? 'warn' : 'fail',
    evidence,
    cause:
      status === 404
        ? 'The transport is turned off, or the proxy does not pass its path.'
        : 'The request does not reach the transport.',
    mend: fallbackRoute,
  };
}
