import {
  type Command,
  replyErrors,
  type SubRefreshRequest,
  type TrackBatch,
} from '@holdfast/protocol';
import { isChannelKey } from '../channel-key.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import type { PollChannel } from '../shared-poll/poll-channel.ts';
import { checkSignature } from '../shared-poll/track-signature.ts';
import type { Subscription } from '../subscription.ts';

/** Values of {@link SubRefreshRequest.type}. */
export const subRefreshTypes = { refresh: 0, track: 1, untrack: 2 } as const;

interface SignedKey {
  readonly key: string;
  readonly version: number;
  readonly expireAt: number;
}

/** Begins and ends tracking keys of a shared-poll subscription. All of a request, or none of it. */
export function track(session: Session, command: Command): Refusal | undefined {
  const request = command.sub_refresh ?? {};
  const subscription = session.subscriptions.get(request.channel ?? '');
  if (subscription?.state !== 'live') return replyErrors.permissionDenied;
  const channel = session.hub.polls.get(subscription.channel);
  if (channel === undefined || !channel.subscriptions.has(subscription)) {
    return replyErrors.badRequest;
  }
  const untracked = new Set(request.untrack);
  if (request.type === subRefreshTypes.untrack) {
    for (const key of untracked) channel.untrack(subscription, key);
    session.reply({ id: command.id ?? 0, sub_refresh: {} });
    return undefined;
  }
  const keys = signedKeys(session, subscription.channel, request);
  if (isRefusal(keys)) return keys;
  if (isOverLimit({ subscription, channel, keys, untracked })) return replyErrors.limitExceeded;
  for (const key of untracked) channel.untrack(subscription, key);
  const nearest = Math.min(...keys.map(({ expireAt }) => expireAt));
  const ttl = Math.max(0, Math.ceil(nearest - session.hub.clock.now() / 1000));
  session.reply({ id: command.id ?? 0, sub_refresh: { expires: true, ttl } });
  // After the reply, which tells the client that it tracks these keys.
  for (const key of keys) if (!untracked.has(key.key)) channel.track(subscription, key);
  return undefined;
}

function signedKeys(
  session: Session,
  channel: string,
  { track: batches = [] }: SubRefreshRequest,
): readonly SignedKey[] | Refusal {
  if (batches.length === 0) return replyErrors.badRequest;
  const all: SignedKey[] = [];
  for (const batch of batches) {
    const keys = verifyBatch(session, channel, batch);
    if (isRefusal(keys)) return keys;
    all.push(...keys);
  }
  return all;
}

function verifyBatch(
  { hub, user }: Session,
  channel: string,
  { signature = '', items = [] }: TrackBatch,
): readonly SignedKey[] | Refusal {
  const { sharedPollSecrets: secrets } = hub;
  if (secrets === undefined) return replyErrors.notAvailable;
  const keys = items.map(({ key = '' }) => key);
  if (keys.length === 0 || !keys.every(isChannelKey)) return replyErrors.badRequest;
  const now = hub.clock.now() / 1000;
  const check = checkSignature(signature, { user, channel, keys }, { secrets, now });
  if (check.status === 'invalid') return replyErrors.permissionDenied;
  if (check.status === 'expired') return replyErrors.tokenExpired;
  const { expireAt } = check;
  return items.map(({ key = '', version = 0 }) => ({ key, version, expireAt }));
}

function isOverLimit({
  subscription,
  channel,
  keys,
  untracked,
}: {
  readonly subscription: Subscription;
  readonly channel: PollChannel;
  readonly keys: readonly SignedKey[];
  readonly untracked: ReadonlySet<string>;
}): boolean {
  const { maxKeysPerConnection } = subscription.rules.options.sharedPoll;
  const tracked = new Set(channel.trackedBy(subscription));
  for (const { key } of keys) tracked.add(key);
  for (const key of untracked) tracked.delete(key);
  return tracked.size > maxKeysPerConnection;
}
