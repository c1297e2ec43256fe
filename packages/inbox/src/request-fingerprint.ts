import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { CheckedContent } from './notification.ts';
import type { Recipients } from './sends.ts';

/**
 * The same for the same request: whatever the order of recipients and of members of `data`. Of a stream
 * of recipients nothing is known before it is read, and then too little: the second one may go on where
 * the first broke off, in another order.
 */
export function requestFingerprint(
  content: CheckedContent,
  request: { readonly to: Recipients; readonly sendAt: number | undefined },
): string {
  const { to, sendAt } = request;
  const who = 'users' in to ? listOf(to.users) : to;
  const data = content.data === null ? null : canonicalJson(content.data);
  return createHash('sha256')
    .update(JSON.stringify([{ ...content, data }, who, sendAt ?? null]))
    .digest('base64url');
}

function listOf(users: Iterable<string> | AsyncIterable<string>): readonly string[] | 'stream' {
  return Array.isArray(users) ? [...new Set(users as string[])].toSorted(byText) : 'stream';
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
