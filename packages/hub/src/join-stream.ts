import {
  type Publication,
  replyErrors,
  subscribeFlags,
  type SubscribeRequest,
  type SubscribeResult,
} from '@holdfast/protocol';
import { deltaForm } from './broadcast.ts';
import { countWithin, messageBudget } from './message-budget.ts';
import { wirePublication } from './message-encoder.ts';
import type { Position } from './ports/broker.ts';
import { recoverCache, recoverStream, type Recovery, unrecovered } from './recovery.ts';
import type { Refusal } from './refusal.ts';
import type { Subscription } from './subscription.ts';

/**
 * Attaches the subscription to its channel, so that publications are held for it, and then reads what
 * it missed: nothing falls between the two.
 */
export async function enterStream(
  subscription: Subscription,
  request: SubscribeRequest,
): Promise<SubscribeResult | Refusal> {
  const { session, rules } = subscription;
  await session.hub.tableFor(rules).attach(subscription);
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
  { session, channel, rules, isServerSide }: Subscription,
  since: Position,
): Promise<ReadRecovery> {
  const { broker, options } = session.hub;
  // What server-side subscriptions missed shares one connect result.
  const sharers = isServerSide ? Math.max(1, session.subscriptions.size) : 1;
  const budget = messageBudget(options) / sharers;
  const page = await broker.history(channel, {
    sinceOffset: since.offset,
    limit: options.recoveryMaxPublicationLimit || -1,
    historyMetaTtlMs: rules.historyMetaTtlMs,
  });
  const recovery = recoverStream(since, page);
  return {
    top: page.position,
    recovery:
      countWithin(recovery.publications, budget) < recovery.publications.length
        ? unrecovered
        : recovery,
  };
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
