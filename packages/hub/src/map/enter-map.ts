import {
  type Publication,
  replyErrors,
  subscribePhases,
  type SubscribeRequest,
  type SubscribeResult,
} from '@holdfast/protocol';
import { fullForm } from '../broadcast.ts';
import { wirePublication } from '../message-encoder.ts';
import type { MapStreamPage } from '../ports/map-broker.ts';
import type { Position } from '../ports/broker.ts';
import { isSameEpoch } from '../recovery.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Subscription } from '../subscription.ts';

/** What the server says of every map subscription, whatever its type was called in the request. */
const mapType = 1;

/**
 * The next step into a map channel:
 *
 *   state pages ──last page──▶ live            the stream since the first page fits into the reply
 *        │                       ▲
 *        └──too much to catch up──▶ stream pages ──the top is reached──┘
 *
 * A client that comes back with a position begins with the stream pages. From the first step on the
 * channel's changes are held for the subscription, so that none falls between a page and the next;
 * going live drops those that the pages contained. The position of the first page is frozen: later
 * pages leave out what changed since, because the stream brings it.
 */
export async function enterMap(
  subscription: Subscription,
  request: SubscribeRequest,
): Promise<SubscribeResult | Refusal> {
  const { phase = subscribePhases.live } = request;
  if (!subscription.isPaging && phase !== subscribePhases.state && request.recover !== true) {
    // Nothing is known of the pages that this one would continue.
    return replyErrors.permissionDenied;
  }
  subscription.isReadingPage = true;
  try {
    await attachOnce(subscription);
    return phase === subscribePhases.state
      ? await readStatePage(subscription, request)
      : await readStreamPage(subscription, request);
  } finally {
    subscription.isReadingPage = false;
  }
}

async function attachOnce(subscription: Subscription): Promise<void> {
  if (subscription.isPaging) return;
  const { session, rules } = subscription;
  const { clock, timers } = session.hub;
  subscription.catchUpBy = clock.monotonic() + rules.options.map.subscribeCatchUpTimeoutMs;
  timers.schedule(session, subscription.catchUpBy);
  await session.hub.tableFor(rules).attach(subscription);
}

async function readStatePage(
  subscription: Subscription,
  request: SubscribeRequest,
): Promise<SubscribeResult | Refusal> {
  const { session, channel, rules, frozen } = subscription;
  const { cursor = '', asc = false } = request;
  const page = await session.hub.mapBroker.readState(channel, {
    retention: rules.retention,
    limit: pageSize(subscription, request),
    asc,
    ...(cursor === '' ? {} : { cursor }),
    ...(frozen === undefined ? {} : { untilOffset: frozen.offset }),
  });
  const { position } = page;
  if (frozen !== undefined && position?.epoch !== frozen.epoch) {
    return replyErrors.unrecoverablePosition;
  }
  subscription.frozen ??= position;
  const start = subscription.frozen;
  const state = visible(subscription, page.entries);
  const reply = {
    type: mapType,
    ...(state.length > 0 ? { state } : {}),
    ...(start === undefined ? {} : { offset: start.offset, epoch: start.epoch }),
  };
  if (page.cursor !== '') return { ...reply, phase: subscribePhases.state, cursor: page.cursor };
  if (start === undefined) return reply;
  const rest = await readRest(subscription, start, pageSize(subscription, request));
  if (isRefusal(rest)) return rest;
  if (!rest.isComplete) return { ...reply, phase: subscribePhases.state };
  return { ...reply, ...live(subscription, rest) };
}

async function readStreamPage(
  subscription: Subscription,
  request: SubscribeRequest,
): Promise<SubscribeResult | Refusal> {
  const { offset = 0, epoch = '', recover = false } = request;
  const since: Position = { offset, epoch };
  const rest = await readRest(subscription, since, pageSize(subscription, request));
  if (isRefusal(rest)) {
    if (recover) subscription.session.hub.metrics.recoveries.add('no');
    return rest;
  }
  if (!rest.isComplete) {
    return {
      type: mapType,
      phase: subscribePhases.stream,
      publications: visible(subscription, rest.publications),
      offset: rest.publications.at(-1)?.offset ?? offset,
      epoch: rest.top.epoch,
    };
  }
  if (recover) subscription.session.hub.metrics.recoveries.add('yes');
  return {
    type: mapType,
    ...live(subscription, rest),
    ...(recover ? { was_recovering: true, recovered: true } : {}),
  };
}

interface Rest {
  readonly publications: readonly Publication[];
  readonly top: Position;
  /** The publications reach the top. */
  readonly isComplete: boolean;
}

/** What changed after a position; error 112 when the stream no longer reaches back that far. */
async function readRest(
  { session, channel, rules }: Subscription,
  since: Position,
  limit: number,
): Promise<Rest | Refusal> {
  const { liveTransitionMaxPublicationLimit } = rules.options.map;
  const page: MapStreamPage = await session.hub.mapBroker.readStream(channel, {
    retention: rules.retention,
    sinceOffset: since.offset,
    limit: Math.max(limit, liveTransitionMaxPublicationLimit),
  });
  const { publications, position: top } = page;
  if (top === undefined || !isSameEpoch(since.epoch, top.epoch) || since.offset > top.offset) {
    return replyErrors.unrecoverablePosition;
  }
  const [first] = publications;
  const isGapless =
    first === undefined ? top.offset === since.offset : first.offset === since.offset + 1;
  if (!isGapless) return replyErrors.unrecoverablePosition;
  const reached = publications.at(-1)?.offset ?? since.offset;
  return { publications, top, isComplete: reached === top.offset };
}

/** The last reply: from here on changes are pushed. */
function live(subscription: Subscription, { publications, top }: Rest): SubscribeResult {
  subscription.offset = top.offset;
  subscription.epoch = top.epoch;
  const rest = visible(subscription, publications);
  return {
    recoverable: true,
    positioned: true,
    offset: top.offset,
    epoch: top.epoch,
    ...(rest.length > 0 ? { publications: rest } : {}),
  };
}

function visible(
  subscription: Subscription,
  publications: readonly Publication[],
): readonly Publication[] {
  const { filter, usesDelta, session } = subscription;
  const matching = publications
    .filter(({ tags }) => filter === undefined || filter(tags))
    .map(wirePublication);
  return usesDelta ? fullForm(matching, session.encoder.codec.format) : matching;
}

function pageSize({ rules }: Subscription, { limit = 0 }: SubscribeRequest): number {
  const { defaultPageSize, minPageSize, maxPageSize } = rules.options.map;
  if (limit <= 0) return defaultPageSize;
  return Math.min(Math.max(limit, minPageSize), maxPageSize);
}
