/** What the doctor looked at, in the order of the examination. */
export const checkNames = [
  'dns',
  'tcp',
  'tls',
  'http',
  'http2',
  'upgrade',
  'subprotocol',
  'connect',
  'latency',
  'message_size',
  'compression',
  'origin',
  'sse',
  'http_stream',
  'polling',
  'parallel',
  'reconnect',
  'idle',
  'server_ping',
  'silence',
] as const;

/** One of the doctor's checks. */
export type CheckName = (typeof checkNames)[number];

/** The result of one check. */
export interface Finding {
  readonly status: 'pass' | 'warn' | 'fail' | 'skip';
  /** What was seen. */
  readonly evidence: string;
  /** Why that is so, in one sentence. */
  readonly cause?: string;
  /** What to do about it. Lines of a configuration stand each on one of its own. */
  readonly mend?: string;
}

export function pass(evidence: string): Finding {
  return { status: 'pass', evidence };
}

export function skip(evidence: string): Finding {
  return { status: 'skip', evidence };
}
