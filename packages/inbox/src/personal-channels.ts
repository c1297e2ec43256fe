import { createHash } from 'node:crypto';
import { type ChannelNaming, defaultChannelNaming, userLimitedChannel } from '@holdfast/protocol';

/**
 * Names a channel for each user in a namespace: the one that is limited to the user, or, where there
 * is none, a private channel named by a digest of the user's id. No other user can open either; the
 * private one opens to its own user when the application says so, as the server does.
 */
export function personalChannels(
  namespace: string,
  naming: ChannelNaming = defaultChannelNaming,
): (user: string) => string {
  const start = `${namespace}${naming.namespaceBoundary}`;
  return (user) =>
    userLimitedChannel(start, user, naming) ?? `${naming.privatePrefix}${start}${digestOf(user)}`;
}

/** Of its UTF-16: in UTF-8 all ids with a lone surrogate would look the same. */
function digestOf(user: string): string {
  return createHash('sha256').update(user, 'utf16le').digest('base64url');
}
