import { type Command, disconnects, replyErrors } from '@holdfast/protocol';
import { endSubscription } from '../end-subscription.ts';
import { completeJoin, continueJoin, joinChannel } from '../join-channel.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import { type Soon, whenThere } from '../soon.ts';
import { authoriseSubscribe } from './authorise-subscribe.ts';

export function subscribe(session: Session, command: Command): Soon<Refusal | undefined> {
  const request = command.subscribe ?? {};
  const { channel = '' } = request;
  if (channel === '') return disconnects.badRequest;
  const { namespaces, options } = session.hub;
  const rules = namespaces.resolve(channel);
  if (isRefusal(rules)) return rules;
  const existing = session.subscriptions.get(channel);
  if (existing !== undefined && !existing.isPaging) return replyErrors.alreadySubscribed;
  if (
    existing === undefined &&
    options.channelLimit > 0 &&
    session.subscriptions.size >= options.channelLimit
  ) {
    return replyErrors.limitExceeded;
  }
  const joining =
    existing === undefined
      ? joinChannel(session, {
          channel,
          rules,
          request,
          isServerSide: false,
          authorise: () => authoriseSubscribe(session, request, rules),
        })
      : continueJoin(existing, request);
  return whenThere(joining, (joined) => {
    if (isRefusal(joined)) return joined;
    session.reply({ id: command.id ?? 0, subscribe: joined.result });
    completeJoin(joined);
    return undefined;
  });
}

/** Always succeeds, also for channels the client is not in: an error would make SDKs reconnect. */
export async function unsubscribe(
  session: Session,
  command: Command,
): Promise<Refusal | undefined> {
  const channel = command.unsubscribe?.channel ?? '';
  if (channel === '') return disconnects.badRequest;
  const subscription = session.subscriptions.get(channel);
  if (subscription !== undefined) {
    await endSubscription(subscription, { code: 0, reason: 'client unsubscribed' });
  }
  session.reply({ id: command.id ?? 0, unsubscribe: {} });
  return undefined;
}
