import {
  type Format,
  type Publication,
  replyErrors,
  shareList,
  subscribeFlags,
  type SubscribeRequest,
  type SubscribeResult,
} from '@holdfast/protocol';
import { deltaForm } from './broadcast.ts';
import { countWithin, messageBudget } from './message-budget.ts';
import { wirePublication } from './message-encoder.ts';
import type { Position } from './ports/broker.ts';
import { recoverCache, type Recovery, unrecovered } from './recovery.ts';
import type { Refusal } from './refusal.ts';
import { type Soon, whenThere } from './soon.ts';
import type { Subscription } from './subscription.ts';

/**
 * Attaches the subscription to its channel, so that publications are held for it, and then reads what
 * it missed: nothing falls between the two.
 */
export function enterStream(
  subscription: Subscription,
  request: SubscribeRequest,
): Soon<SubscribeResult | Refusal> {
  const { session, rules } = subscription;
  return whenThere(session.hub.tableFor(rules).attach(subscription), () =>
    subscription.isPositioned ? readStream(subscription, request) : {},
  );
}

/** The position to start from, and what was missed since the one the client has. */
async function readStream(
  subscription: Subscription,
  request: SubscribeRequest,
): Promise<SubscribeResult | Refusal> {
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
  const { filter } = subscription;
  const publications = inFormOf(
    subscription,
    // Unfiltered it stays the list that others have too, which is encoded once for all of them.
    filter === undefined
      ? recovery.publications
      : recovery.publications.filter(({ tags }) => filter(tags)),
  );
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
  const { historyMetaTtlMs } = rules;
  return (await session.hub.streamReader.enter(channel, { historyMetaTtlMs })).top;
}

interface ReadRecovery {
  readonly top: Position;
  readonly recovery: Recovery;
}

async function readMissed(
  { session, channel, rules, isServerSide }: Subscription,
  since: Position,
): Promise<ReadRecovery> {
  const { options, streamReader } = session.hub;
  // What server-side subscriptions missed shares one connect result.
  const sharers = isServerSide ? Math.max(1, session.subscriptions.size) : 1;
  const budget = messageBudget(options) / sharers;
  const { historyMetaTtlMs } = rules;
  const { top, recovery = unrecovered } = await streamReader.enter(channel, {
    since,
    historyMetaTtlMs,
  });
  const isWithinBudget =
    countWithin(recovery.publications, budget) === recovery.publications.length;
  return { top, recovery: isWithinBudget ? recovery : unrecovered };
}

async function readCache(
  { session, channel, rules, filter }: Subscription,
  since: Position | undefined,
): Promise<ReadRecovery> {
  const page = await session.hub.streamReader.latest(channel, {
    limit: filter === undefined ? 1 : -1,
    historyMetaTtlMs: rules.historyMetaTtlMs,
  });
  const latest = page.publications.find(({ tags }) => filter === undefined || filter(tags));
  const { recovered, publications } = recoverCache(since, latest, page.position);
  return {
    top: page.position,
    recovery: { recovered, publications: publications.map(wirePublication) },
  };
}

/**
 * Recovered publications as this client gets them. With deltas the first is full and makes the base
 * of the next; without any, the next live publication has to be full.
 */
function inFormOf(
  subscription: Subscription,
  publications: readonly Publication[],
): readonly Publication[] {
  if (!subscription.usesDelta) return publications;
  subscription.hasDeltaBase = publications.length > 0;
  return recoveredDeltas(publications, subscription.session.encoder.codec.format);
}

const deltas = new WeakMap<readonly Publication[], Map<Format, readonly Publication[]>>();

/** Those who recover together have one list of publications, and then one list of patches. */
function recoveredDeltas(
  publications: readonly Publication[],
  format: Format,
): readonly Publication[] {
  const known = deltas.get(publications) ?? new Map<Format, readonly Publication[]>();
  deltas.set(publications, known);
  const made = known.get(format) ?? shareList(deltaForm(publications, format));
  known.set(format, made);
  return made;
}
