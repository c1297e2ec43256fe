import { createHash } from 'node:crypto';

/** How the hub reads names of channels: its options of the same names. */
export interface ChannelNaming {
  /** Ends a namespace. @defaultValue ':' */
  readonly namespaceBoundary: string;
  /** Begins the users that a channel is limited to. @defaultValue '#' */
  readonly userBoundary: string;
  /** Stands between two of them. @defaultValue ',' */
  readonly userSeparator: string;
  /** Begins channels that open to a token or to the application's word alone. @defaultValue '$' */
  readonly privatePrefix: string;
  /** Longest name, in bytes. @defaultValue 255 */
  readonly maxLength: number;
}

const defaultNaming: ChannelNaming = {
  namespaceBoundary: ':',
  userBoundary: '#',
  userSeparator: ',',
  privatePrefix: '$',
  maxLength: 255,
};

/** Printable ASCII without space, which every namespace takes. */
const plain = /^[\x21-\x7e]+$/;

/**
 * The channel that begins with `start` and that its name opens to this user and to nobody else:
 * `inbox:#42`. Undefined where there is none, because the hub would read other users in it (`a,b`,
 * `a#b`), or none, or would not take it at all.
 */
export function userLimitedChannel(
  start: string,
  user: string,
  naming: ChannelNaming = defaultNaming,
): string | undefined {
  const { userBoundary, userSeparator, maxLength } = naming;
  const name = `${start}${userBoundary}${user}`;
  const read = name.slice(name.lastIndexOf(userBoundary) + userBoundary.length);
  const isOneUser =
    user !== '' && read === user && (userSeparator === '' || !user.includes(userSeparator));
  return isOneUser && plain.test(name) && name.length <= maxLength ? name : undefined;
}

/**
 * Names a channel for each user in a namespace: the one that is limited to the user, or, where there
 * is none, a private channel named by a digest of the user's id. No other user can open either; the
 * private one opens to its own user when the application says so, as the server does.
 */
export function personalChannels(
  namespace: string,
  naming: ChannelNaming = defaultNaming,
): (user: string) => string {
  const start = `${namespace}${naming.namespaceBoundary}`;
  return (user) =>
    userLimitedChannel(start, user, naming) ?? `${naming.privatePrefix}${start}${digestOf(user)}`;
}

/** Of its UTF-16: in UTF-8 all ids with a lone surrogate would look the same. */
function digestOf(user: string): string {
  return createHash('sha256').update(user, 'utf16le').digest('base64url');
}
