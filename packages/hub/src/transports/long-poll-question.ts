/** The part of a poll's address that says where its session is. */
export interface SessionAddress {
  readonly node: string;
  readonly session: string;
}

/** What a request of a long-polling client wants. */
export type LongPollQuestion =
  | { readonly kind: 'open'; readonly data: string; readonly waitMs: number }
  | (SessionAddress & { readonly kind: 'poll'; readonly ack: number; readonly waitMs: number })
  | (SessionAddress & { readonly kind: 'send'; readonly sequence: number; readonly data: string })
  | (SessionAddress & { readonly kind: 'close' });

/** Reads a request body; undefined when it is none of the four questions. */
export function parseLongPoll(body: Uint8Array, maxWaitMs: number): LongPollQuestion | undefined {
  const fields = parseObject(body);
  if (fields === undefined) return undefined;
  const { node, session, data, ack, seq: sequence, close, wait = maxWaitMs } = fields;
  if (!isCount(wait)) return undefined;
  const waitMs = Math.min(wait, maxWaitMs);
  if (node === undefined && session === undefined) {
    return typeof data === 'string' && data !== '' ? { kind: 'open', data, waitMs } : undefined;
  }
  if (typeof node !== 'string' || typeof session !== 'string') return undefined;
  const address = { node, session };
  if (close === true) return { ...address, kind: 'close' };
  if (isCount(ack)) return { ...address, kind: 'poll', ack, waitMs };
  if (!isCount(sequence) || typeof data !== 'string' || data === '') return undefined;
  return { ...address, kind: 'send', sequence, data };
}

function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString());
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    return parsed as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
