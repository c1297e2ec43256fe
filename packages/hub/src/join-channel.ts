import {
  disconnects,
  type Publication,
  replyErrors,
  subscribeFlags,
  type SubscribeRequest,
  type SubscribeResult,
  subscriptionTypes,
} from '@holdfast/protocol';
import { deltaForm } from './broadcast.ts';
import type { ChannelOverrides, SubscribeGrant } from './events.ts';
import { type ExpiryMembers, expiryMembers } from './expiry.ts';
import { wirePublication } from './message-encoder.ts';
import type { ChannelOptions } from './options.ts';
import { mayOperate } from './permissions.ts';
import type { Position } from './ports/broker.ts';
import { recoverCache, recoverStream, type Recovery } from './recovery.ts';
import type { ChannelRules } from './namespaces.ts';
import { isRefusal, type Refusal } from './refusal.ts';
import type { Session } from './session.ts';
import { Subscription } from './subscription.ts';
import { compileTagsFilter } from './tags-filter.ts';

export interface JoinOptions {
  readonly channel: string;
  readonly rules: ChannelRules;
  readonly isServerSide: boolean;
  /** What the client wants; the server's own wishes come as {@link SubscribeGrant.overrides}. */
  readonly request: SubscribeRequest;
  /** Decides whether the client may be there, while the channel is already reserved for it. */
  readonly authorise: () => Promise<SubscribeGrant | Refusal> | SubscribeGrant;
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
export async function joinChannel(session: Session, join: JoinOptions): Promise<Joined | Refusal> {
  const { channel, rules, isServerSide } = join;
  if (session.subscriptions.has(channel)) return replyErrors.alreadySubscribed;
  const subscription = new Subscription({ session, channel, rules, isServerSide });
  session.subscriptions.set(channel, subscription);
  let outcome: SubscribeResult | Refusal = replyErrors.internal;
  try {
    outcome = await enter(subscription, join);
  } finally {
    if (isRefusal(outcome)) {
      await session.endSubscription(subscription, { code: 0, reason: 'not subscribed' });
    }
  }
  return isRefusal(outcome) ? outcome : { subscription, result: outcome };
}

async function enter(
  subscription: Subscription,
  join: JoinOptions,
): Promise<SubscribeResult | Refusal> {
  const { session, channel, rules } = subscription;
  const { hub } = session;
  const { options } = rules;
  if ((join.request.type ?? 0) !== subscriptionTypes[options.subscriptionType]) {
    return replyErrors.permissionDenied;
  }
  const given = await join.authorise();
  if (isRefusal(given)) return given;
  const grant = { serverSideRefresh: options.serverSideSubRefresh, ...given };
  const expiry = expiryOf(grant, hub.clock.now());
  if (expiry === undefined) return replyErrors.expired;
  subscription.grant = grant;
  const problem = configure(subscription, join);
  if (problem !== undefined) return problem;
  if (isOver(subscription)) return disconnects.connectionClosed;
  const entered =
    options.subscriptionType === 'shared_poll'
      ? { epoch: hub.polls.join(subscription).epoch }
      : await enterStream(subscription, join.request);
  if (isRefusal(entered)) return entered;
  if (isOver(subscription)) return disconnects.connectionClosed;
  if (subscription.hasPresence) {
    await hub.presenceStore.add(channel, subscription.clientInfo, hub.options.presenceTtlMs);
  }
  if (isOver(subscription)) {
    // The session ended, and its removal from presence may have overtaken the addition.
    if (subscription.hasPresence) await hub.presenceStore.remove(channel, subscription.clientInfo);
    return disconnects.connectionClosed;
  }
  return {
    ...entered,
    ...expiry,
    ...(grant.data === undefined ? {} : { data: grant.data }),
    ...(subscription.usesDelta ? { delta: true } : {}),
  };
}

function isOver(subscription: Subscription): boolean {
  return subscription.state === 'ended' || subscription.session.state === 'closed';
}

/** Undefined when the grant has already expired. */
function expiryOf(grant: SubscribeGrant, now: number): ExpiryMembers | undefined {
  const expireAt = grant.expireAt ?? 0;
  if (expireAt !== 0 && expireAt * 1000 <= now) return undefined;
  return grant.serverSideRefresh === true ? {} : expiryMembers(expireAt, now);
}

type EffectiveOptions = ChannelOptions & ChannelOverrides;

/** Decides what this subscription is, from the namespace, the grant and what the client asked for. */
function configure(subscription: Subscription, join: JoinOptions): Refusal | undefined {
  const { session, channel, rules } = subscription;
  const { request } = join;
  const options: EffectiveOptions = { ...rules.options, ...subscription.grant.overrides };
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

async function enterStream(
  subscription: Subscription,
  request: SubscribeRequest,
): Promise<SubscribeResult | Refusal> {
  await subscription.session.hub.channelTable.attach(subscription);
  return readStream(subscription, request);
}

/** The position to start from, and what was missed since the one the client has. */
async function readStream(
  subscription: Subscription,
  request: SubscribeRequest,
): Promise<SubscribeResult | Refusal> {
  if (!subscription.isPositioned) return {};
  const { rules, isRecoverable } = subscription;
  const isCache = rules.options.forceRecoveryMode === 'cache';
  const isRecovering = isRecoverable && request.recover === true;
  const since = isRecovering
    ? { offset: request.offset ?? 0, epoch: request.epoch ?? '' }
    : undefined;
  const wantsCache = isCache && isRecoverable && (isRecovering || rules.options.autoCacheRecover);
  if (since === undefined && !wantsCache) return start(subscription, await readTop(subscription));
  const { top, recovery } = wantsCache
    ? await readCache(subscription, since)
    : await readMissed(subscription, since as Position);
  const { metrics } = subscription.session.hub;
  metrics.recoveries.add(recovery.recovered ? 'yes' : 'no');
  if (!recovery.recovered && isRecovering && rejectsUnrecovered(request)) {
    return replyErrors.unrecoverablePosition;
  }
  const base = start(subscription, top);
  const visible = recovery.publications.filter(
    ({ tags }) => subscription.filter === undefined || subscription.filter(tags),
  );
  const publications = visiblePublications(subscription, visible);
  return {
    ...base,
    ...(isRecovering ? { was_recovering: true } : {}),
    ...(recovery.recovered ? { recovered: true } : {}),
    ...(publications.length > 0 ? { publications } : {}),
    // A client that recovered advances from the offset it asked for, publication by publication.
    ...(recovery.recovered && since !== undefined && !isCache ? { offset: since.offset } : {}),
  };
}

function rejectsUnrecovered(request: SubscribeRequest): boolean {
  return ((request.flag ?? 0) & subscribeFlags.rejectUnrecovered) !== 0;
}

function start(subscription: Subscription, top: Position): SubscribeResult {
  subscription.offset = top.offset;
  subscription.epoch = top.epoch;
  return {
    positioned: true,
    ...(subscription.isRecoverable ? { recoverable: true } : {}),
    epoch: top.epoch,
    offset: top.offset,
  };
}

async function readTop({ session, channel, rules }: Subscription): Promise<Position> {
  const page = await session.hub.broker.history(channel, {
    limit: 0,
    historyMetaTtlMs: rules.historyMetaTtlMs,
  });
  return page.position;
}

interface ReadRecovery {
  readonly top: Position;
  readonly recovery: Recovery;
}

async function readMissed(
  { session, channel, rules }: Subscription,
  since: Position,
): Promise<ReadRecovery> {
  const { broker, options } = session.hub;
  const page = await broker.history(channel, {
    sinceOffset: since.offset,
    limit: options.recoveryMaxPublicationLimit || -1,
    historyMetaTtlMs: rules.historyMetaTtlMs,
  });
  return { top: page.position, recovery: recoverStream(since, page) };
}

async function readCache(
  { session, channel, rules, filter }: Subscription,
  since: Position | undefined,
): Promise<ReadRecovery> {
  const page = await session.hub.broker.history(channel, {
    reverse: true,
    limit: filter === undefined ? 1 : -1,
    historyMetaTtlMs: rules.historyMetaTtlMs,
  });
  const latest = page.publications.find(({ tags }) => filter === undefined || filter(tags));
  return { top: page.position, recovery: recoverCache(since, latest, page.position) };
}

/**
 * Recovered publications as this client gets them. With deltas the first is full and makes the base
 * of the next; without any, the next live publication has to be full.
 */
function visiblePublications(
  subscription: Subscription,
  publications: readonly Publication[],
): readonly Publication[] {
  const visible = publications.map(wirePublication);
  if (!subscription.usesDelta) return visible;
  subscription.hasDeltaBase = visible.length > 0;
  return deltaForm(visible, subscription.session.encoder.codec.format);
}

/** Makes the subscription live. Must follow the queued result in the same turn. */
export function completeJoin({ subscription, result }: Joined): void {
  const { session, channel, grant, isServerSide } = subscription;
  const { hub, connection } = session;
  session.setSubscriptionExpiry(subscription, grant.expireAt ?? 0);
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
