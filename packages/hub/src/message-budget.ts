import { type Publication, ReplyError, replyErrors } from '@holdfast/protocol';
import type { ClientOptions } from './client-options.ts';

type Limits = Pick<ClientOptions, 'queueMaxSizeBytes'>;

/**
 * Most bytes of payload that go to a client at once, in one publication or one reply: half of its
 * queue. With more, a client would be cut as slow for what it was sent rather than for not reading,
 * come back, be sent the same, and be cut again, forever.
 */
export function messageBudget({ queueMaxSizeBytes }: Limits): number {
  return Math.floor(queueMaxSizeBytes / 2);
}

/** Error 106 for a payload that no client could be sent, or undefined. */
export function payloadProblem(data: Uint8Array, limits: Limits): ReplyError | undefined {
  const budget = messageBudget(limits);
  if (data.length <= budget) return undefined;
  const { code, message } = replyErrors.limitExceeded;
  return new ReplyError(
    code,
    `${message}: a publication has at most ${budget} bytes, half of client.queue_max_size`,
  );
}

/** How many of the first publications fit into `budget` bytes of payload. */
export function countWithin(publications: readonly Publication[], budget: number): number {
  let bytes = 0;
  for (const [index, { data }] of publications.entries()) {
    bytes += data?.length ?? 0;
    if (bytes > budget) return index;
  }
  return publications.length;
}
