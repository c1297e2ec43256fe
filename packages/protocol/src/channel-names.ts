/** How names of channels are read: Centrifugo's options of the same names. */
export interface ChannelNaming {
  /** Begins channels that open to a token or to the application's word alone. @defaultValue '$' */
  readonly privatePrefix: string;
  /** Ends a namespace. @defaultValue ':' */
  readonly namespaceBoundary: string;
  /** Begins the users that a channel is limited to. @defaultValue '#' */
  readonly userBoundary: string;
  /** Stands between two of them. @defaultValue ',' */
  readonly userSeparator: string;
  /** Longest name, in bytes. @defaultValue 255 */
  readonly maxLength: number;
}

export const defaultChannelNaming: ChannelNaming = {
  privatePrefix: '$',
  namespaceBoundary: ':',
  userBoundary: '#',
  userSeparator: ',',
  maxLength: 255,
};

/** Printable ASCII without space, which every namespace takes. */
const plain = /^[\x21-\x7e]+$/;

/** The users that a name limits its channel to (`dialog:#42,43`); undefined when it names none. */
export function usersNamedBy(
  channel: string,
  { userBoundary, userSeparator }: ChannelNaming,
): readonly string[] | undefined {
  const boundary = userBoundary === '' ? -1 : channel.lastIndexOf(userBoundary);
  if (boundary === -1) return undefined;
  const users = channel.slice(boundary + userBoundary.length);
  return userSeparator === '' ? [users] : users.split(userSeparator);
}

/**
 * The channel that begins with `start` and that its name opens to this user and to nobody else:
 * `inbox:#42`. Undefined where there is none, because other users would be read in it (`a,b`, `a#b`),
 * or none, or no namespace would take it.
 */
export function userLimitedChannel(
  start: string,
  user: string,
  naming: ChannelNaming = defaultChannelNaming,
): string | undefined {
  const name = `${start}${naming.userBoundary}${user}`;
  const [named, ...others] = usersNamedBy(name, naming) ?? [];
  const isOnlyTheirs = user !== '' && named === user && others.length === 0;
  return isOnlyTheirs && plain.test(name) && name.length <= naming.maxLength ? name : undefined;
}
