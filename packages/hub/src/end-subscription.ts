import { disconnects, unsubscribeCodes, type UnsubscribeName } from '@holdfast/protocol';
import { leavePresence } from './channel-presence.ts';
import type { Subscription } from './subscription.ts';

/** Ends a subscription from the server's side and tells the client why. */
export function unsubscribe(
  subscription: Subscription,
  why: UnsubscribeName | { readonly code: number; readonly reason: string },
): void {
  const { session, channel } = subscription;
  const { code, reason } = typeof why === 'string' ? unsubscribeCodes[why] : why;
  if (session.subscriptions.get(channel) !== subscription) return;
  const wasLive = subscription.state === 'live';
  session.hub.metrics.unsubscribes.add(String(code));
  void endSubscription(subscription, { code, reason });
  // A subscribe that is still under way is answered with an error instead.
  if (wasLive) session.push({ channel, unsubscribe: { code, reason } });
}

/** Publications were lost on the way: the client has to recover. */
export function loseState(subscription: Subscription): void {
  if (subscription.state === 'ended') return;
  if (subscription.isServerSide) subscription.session.close(disconnects.insufficientState);
  else unsubscribe(subscription, 'insufficientState');
}

/** Its time is over, and nobody refreshed it. */
export function expireSubscription(subscription: Subscription): void {
  if (subscription.isServerSide) subscription.session.close(disconnects.subscriptionExpired);
  else unsubscribe(subscription, 'expired');
}

/** @param expireAt - Unix seconds; 0 for never. */
export function setSubscriptionExpiry(subscription: Subscription, expireAt: number): void {
  const { session, grant } = subscription;
  const { clock, options, timers } = session.hub;
  if (expireAt === 0) {
    subscription.expiresAt = Infinity;
    return;
  }
  const graceMs = grant.serverSideRefresh === true ? 0 : options.expiredSubCloseDelayMs;
  subscription.expiresAt = clock.monotonic() + expireAt * 1000 - clock.now() + graceMs;
  timers.schedule(session, subscription.expiresAt);
}

/**
 * Forgets a subscription. When the result resolves, presence no longer shows the client. Never
 * rejects: presence that cannot be removed expires by itself.
 */
export async function endSubscription(
  subscription: Subscription,
  { code, reason }: { readonly code: number; readonly reason: string },
): Promise<void> {
  const { session, channel, isServerSide } = subscription;
  const { hub, connection } = session;
  if (session.subscriptions.get(channel) === subscription) session.subscriptions.delete(channel);
  if (subscription.state === 'ended') return;
  const wasLive = subscription.state === 'live';
  subscription.end();
  hub.tableFor(subscription.rules).detach(subscription);
  hub.polls.leave(subscription);
  const info = subscription.clientInfo;
  if (wasLive && connection !== undefined) {
    hub.notify('unsubscribed', { connection, channel, isServerSide, code, reason });
  }
  try {
    await leavePresence(subscription);
    if (wasLive && subscription.emitsJoinLeave) await hub.broker.publishLeave(channel, info);
  } catch (error) {
    hub.logger.warn(
      { err: error, client: session.id },
      'presence or leave of a subscription that ended could not be updated; it expires by itself',
    );
  }
}
