import type { ChannelOptions } from './channel-options.ts';
import type { Session } from './session.ts';

type Operation = 'Publish' | 'Presence' | 'History';

/**
 * Whether the rules of a channel let this client do something there. Anonymous clients need both the
 * permission and its `…ForAnonymous`; insecure mode allows everything.
 */
export function mayOperate(
  session: Session,
  operation: Operation,
  { channel, options }: { readonly channel: string; readonly options: ChannelOptions },
): boolean {
  if (session.hub.options.insecure) return true;
  if (session.user === '' && !options[`allow${operation}ForAnonymous`]) return false;
  if (options[`allow${operation}ForClient`]) return true;
  const isSubscriber = session.subscriptions.get(channel)?.state === 'live';
  return isSubscriber && options[`allow${operation}ForSubscriber`];
}

/** As {@link mayOperate}, for the keys of a map channel. */
export function mayChangeMap(
  session: Session,
  operation: 'Publish' | 'Remove',
  { channel, options }: { readonly channel: string; readonly options: ChannelOptions },
): boolean {
  if (session.hub.options.insecure) return true;
  const { map } = options;
  if (session.user === '' && !map[`allow${operation}ForAnonymous`]) return false;
  if (map[`allow${operation}ForClient`]) return true;
  const isSubscriber = session.subscriptions.get(channel)?.state === 'live';
  return isSubscriber && map[`allow${operation}ForSubscriber`];
}
