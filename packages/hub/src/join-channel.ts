import {
  disconnects,
  replyErrors,
  subscribePhases,
  type SubscribeRequest,
  type SubscribeResult,
  subscriptionTypes,
} from '@holdfast/protocol';
import { enterPresence, keepsPresence, leavePresence } from './channel-presence.ts';
import { endSubscription, setSubscriptionExpiry } from './end-subscription.ts';
import type { ChannelOverrides, SubscribeGrant } from './events.ts';
import { expiryMembers } from './expiry.ts';
import { enterStream } from './join-stream.ts';
import { enterMap } from './map/enter-map.ts';
import type { ChannelRules } from './namespaces.ts';
import type { ChannelOptions } from './channel-options.ts';
import { mayOperate } from './permissions.ts';
import { isRefusal, type Refusal } from './refusal.ts';
import type { Session } from './session.ts';
import { atOnce, isPending, type Soon, whenThere } from './soon.ts';
import { Subscription } from './subscription.ts';
import { compileTagsFilter } from './tags-filter.ts';

export interface JoinOptions {
  readonly channel: string;
  readonly rules: ChannelRules;
  readonly isServerSide: boolean;
  /** What the client wants; the server's own wishes come as {@link SubscribeGrant.overrides}. */
  readonly request: SubscribeRequest;
  /** Decides whether the client may be there, while the channel is already reserved for it. */
  readonly authorise: () => Soon<SubscribeGrant | Refusal>;
}

export interface Joined {
  readonly subscription: Subscription;
  readonly result: SubscribeResult;
}

/**
 * The way into a channel, whoever asked for it. When this resolves to {@link Joined} publications are
 * being held for the subscription: the caller queues the result and calls {@link completeJoin} in the
 * same turn, so that nothing is lost or doubled between the result and live delivery. Otherwise
 * nothing is left behind.
 */
export function joinChannel(session: Session, join: JoinOptions): Soon<Joined | Refusal> {
  const { channel, rules, isServerSide } = join;
  if (session.subscriptions.has(channel)) return replyErrors.alreadySubscribed;
  const subscription = new Subscription({ session, channel, rules, isServerSide });
  session.subscriptions.set(channel, subscription);
  return orEnd(subscription, () =>
    whenThere(
      admit(subscription, join),
      (refusal) => refusal ?? advance(subscription, join.request),
    ),
  );
}

/**
 * The next page of a map subscription that is under way. Error 113 when a page is being read already
 * or the client begins anew without having ended the first attempt.
 */
export function continueJoin(
  subscription: Subscription,
  request: SubscribeRequest,
): Soon<Joined | Refusal> {
  const isFirstPage = request.phase === subscribePhases.state && (request.cursor ?? '') === '';
  if (subscription.isReadingPage || isFirstPage) return replyErrors.concurrentPagination;
  return orEnd(subscription, () => advance(subscription, request));
}

function orEnd(
  subscription: Subscription,
  step: () => Soon<SubscribeResult | Refusal>,
): Soon<Joined | Refusal> {
  const outcome = atOnce(step);
  const isIn = !isPending(outcome) && !isRefusal(outcome);
  return isIn ? { subscription, result: outcome } : endUnlessIn(subscription, outcome);
}

async function endUnlessIn(
  subscription: Subscription,
  pending: Soon<SubscribeResult | Refusal>,
): Promise<Joined | Refusal> {
  let outcome: SubscribeResult | Refusal = replyErrors.internal;
  try {
    outcome = await pending;
  } finally {
    if (isRefusal(outcome)) {
      await endSubscription(subscription, { code: 0, reason: 'not subscribed' });
    }
  }
  return isRefusal(outcome) ? outcome : { subscription, result: outcome };
}

/** Everything that must be right before the channel is touched. */
function admit(subscription: Subscription, join: JoinOptions): Soon<Refusal | undefined> {
  const { session, rules } = subscription;
  const { options } = rules;
  if ((join.request.type ?? 0) !== subscriptionTypes[options.subscriptionType]) {
    return replyErrors.permissionDenied;
  }
  return whenThere(join.authorise(), (given) => {
    if (isRefusal(given)) return given;
    subscription.grant = { serverSideRefresh: options.serverSideSubRefresh, ...given };
    const { expireAt = 0, token } = subscription.grant;
    if (token !== undefined && session.hub.revocations.isRevoked(session.user, token)) {
      return replyErrors.permissionDenied;
    }
    if (expireAt !== 0 && expireAt * 1000 <= session.hub.clock.now()) return replyErrors.expired;
    return configure(subscription, join);
  });
}

/** Takes the next step into the channel; for all but maps it is the only one. */
function advance(
  subscription: Subscription,
  request: SubscribeRequest,
): Soon<SubscribeResult | Refusal> {
  if (isOver(subscription)) return disconnects.connectionClosed;
  return whenThere(enter(subscription, request), (entered) => {
    if (isRefusal(entered)) return entered;
    if (isOver(subscription)) return disconnects.connectionClosed;
    if (!isLive(entered)) return entered;
    return keepsPresence(subscription)
      ? appear(subscription, entered)
      : resultFor(subscription, entered);
  });
}

/** Makes the client present before it is told that it is there. */
async function appear(
  subscription: Subscription,
  entered: SubscribeResult,
): Promise<SubscribeResult | Refusal> {
  await enterPresence(subscription);
  if (!isOver(subscription)) return resultFor(subscription, entered);
  // The session ended, and leaving may have been overtaken by entering.
  await leavePresence(subscription);
  return disconnects.connectionClosed;
}

function resultFor(
  { grant, session, usesDelta }: Subscription,
  entered: SubscribeResult,
): SubscribeResult {
  return {
    ...entered,
    ...(grant.serverSideRefresh === true
      ? {}
      : expiryMembers(grant.expireAt ?? 0, session.hub.clock.now())),
    ...(grant.data === undefined ? {} : { data: grant.data }),
    ...(usesDelta ? { delta: true } : {}),
  };
}

function enter(
  subscription: Subscription,
  request: SubscribeRequest,
): Soon<SubscribeResult | Refusal> {
  const { session, rules } = subscription;
  if (rules.isMap) return enterMap(subscription, request);
  if (rules.options.subscriptionType !== 'shared_poll') return enterStream(subscription, request);
  return { epoch: session.hub.polls.join(subscription).epoch };
}

function isLive({ phase = subscribePhases.live }: SubscribeResult): boolean {
  return phase === subscribePhases.live;
}

function isOver(subscription: Subscription): boolean {
  return subscription.state === 'ended' || subscription.session.state === 'closed';
}

type EffectiveOptions = ChannelOptions & ChannelOverrides;

/** Decides what this subscription is, from the namespace, the grant and what the client asked for. */
function configure(subscription: Subscription, join: JoinOptions): Refusal | undefined {
  const { session, channel, rules } = subscription;
  const { request } = join;
  const { overrides } = subscription.grant;
  const options: EffectiveOptions =
    overrides === undefined ? rules.options : { ...rules.options, ...overrides };
  const mayReadHistory = mayOperate(session, 'History', { channel, options });
  const maySeePresence = mayOperate(session, 'Presence', { channel, options });
  const { hasHistory } = rules;
  subscription.isRecoverable =
    hasHistory &&
    (options.forceRecovery ||
      (request.recoverable === true && (options.allowRecovery || mayReadHistory)));
  subscription.isPositioned =
    subscription.isRecoverable ||
    (hasHistory &&
      (options.forcePositioning ||
        (request.positioned === true && (options.allowPositioning || mayReadHistory))));
  if (rules.isMap) {
    subscription.isPositioned = rules.retention.streamSize > 0;
    subscription.isRecoverable = subscription.isPositioned;
  }
  subscription.hasPresence = options.presence;
  subscription.emitsJoinLeave = options.joinLeave;
  subscription.wantsJoinLeave =
    options.joinLeave &&
    (options.forcePushJoinLeave || (request.join_leave === true && maySeePresence));
  const { delta = '', tf } = request;
  if (delta !== '' && delta !== 'fossil') return disconnects.badRequest;
  subscription.usesDelta = delta === 'fossil' && options.allowedDeltaTypes.includes('fossil');
  if (tf === undefined) return undefined;
  if (!options.allowTagsFilter || subscription.usesDelta) return replyErrors.badRequest;
  const compiled = compileTagsFilter(tf);
  if (compiled.problem !== undefined) return replyErrors.badRequest;
  subscription.filter = compiled.matches;
  return undefined;
}

/**
 * Makes the subscription live, unless the result was only a page on the way. Must follow the queued
 * result in the same turn.
 */
export function completeJoin({ subscription, result }: Joined): void {
  if (!isLive(result)) return;
  const { session, channel, grant, isServerSide } = subscription;
  const { hub, connection } = session;
  setSubscriptionExpiry(subscription, grant.expireAt ?? 0);
  // Going live may end the subscription at once; who counts hears of its beginning first.
  if (connection !== undefined) {
    hub.notify('subscribed', {
      connection,
      channel,
      isServerSide,
      recovered: result.recovered === true,
      wasRecovering: result.was_recovering === true,
    });
  }
  subscription.goLive(hub.clock.monotonic());
  if (!subscription.emitsJoinLeave) return;
  hub.broker.publishJoin(channel, subscription.clientInfo).catch((error: unknown) => {
    hub.logger.warn({ err: error, client: session.id }, 'a join event could not be published');
  });
}
