import { refreshPresence } from './channel-presence.ts';
import { loseState } from './end-subscription.ts';
import type { Session } from './session.ts';
import type { Subscription } from './subscription.ts';

/** How long a subscription may trail the stream's top before that counts as a loss. */
const confirmationDelayMs = 1_000;

/**
 * What every connection needs now and then: its presence kept alive, and its positions compared with
 * the streams, because a lost last publication is not followed by one that would show the gap.
 */
export function upkeep(session: Session, now: number): void {
  for (const subscription of session.subscriptions.values()) {
    if (subscription.state !== 'live') continue;
    void keepPresent(subscription);
    if (subscription.isPositioned) void checkPosition(subscription, now);
  }
}

async function keepPresent(subscription: Subscription): Promise<void> {
  const { hub, id } = subscription.session;
  try {
    await refreshPresence(subscription);
  } catch (error) {
    hub.logger.warn({ err: error, client: id }, 'presence could not be refreshed');
  }
}

/**
 * Publications may be on their way while the top is read, so a top ahead of us is only a suspicion.
 * It becomes a loss when we still have not got there a moment later.
 */
async function checkPosition(subscription: Subscription, now: number): Promise<void> {
  const { session, suspectedTop } = subscription;
  const { hub } = session;
  if (suspectedTop !== undefined) {
    subscription.suspectedTop = undefined;
    if (isBehind(subscription, suspectedTop)) loseState(subscription);
    return;
  }
  const delayMs = hub.options.channelPositionCheckDelayMs;
  if (delayMs === 0 || now - subscription.lastPositionCheck < delayMs) return;
  subscription.lastPositionCheck = now;
  try {
    const top = await hub.streamTop(subscription.channel, subscription.rules);
    if (subscription.state !== 'live' || !isBehind(subscription, top)) return;
    subscription.suspectedTop = top;
    session.upkeepBy(now + confirmationDelayMs);
  } catch (error) {
    hub.logger.warn({ err: error, client: session.id }, 'a position could not be checked');
  }
}

function isBehind(
  subscription: Subscription,
  top: { readonly offset: number; readonly epoch: string },
): boolean {
  return subscription.epoch !== top.epoch || subscription.offset < top.offset;
}
