import type { ControlMessage } from './cluster.ts';
import { Disconnect, disconnects } from '@holdfast/protocol';
import { unsubscribe } from './end-subscription.ts';
import { expiryMembers } from './expiry.ts';
import { completeJoin, joinChannel } from './join-channel.ts';
import type { HubContext } from './hub-context.ts';
import { isRefusal } from './refusal.ts';
import type { Session } from './session.ts';

export type SessionOrder = Exclude<ControlMessage, { readonly type: 'shared_poll_publish' }>;

/** Carries out an order of the server API on this node's sessions. Failures are logged. */
export function carryOut(hub: HubContext, message: SessionOrder): void {
  for (const session of hub.sessions.select(message.selector)) {
    apply(session, message).catch((error: unknown) => {
      hub.logger.error({ err: error, client: session.id }, `'${message.type}' failed`);
    });
  }
}

async function apply(session: Session, message: SessionOrder): Promise<void> {
  switch (message.type) {
    case 'subscribe':
      await subscribeFromServer(session, message);
      break;
    case 'unsubscribe':
      for (const subscription of session.subscriptions.values()) {
        if (message.channel !== '' && subscription.channel !== message.channel) continue;
        unsubscribe(subscription, { code: message.code, reason: message.reason });
      }
      break;
    case 'disconnect':
      session.close(new Disconnect(message.code, message.reason));
      break;
    case 'refresh':
      refreshFromServer(session, message);
      break;
  }
}

async function subscribeFromServer(
  session: Session,
  message: Extract<SessionOrder, { readonly type: 'subscribe' }>,
): Promise<void> {
  const { channel, grant, recoverSince } = message;
  const { hub } = session;
  const rules = hub.namespaces.resolve(channel);
  if (isRefusal(rules) || session.subscriptions.has(channel)) return;
  const { channelLimit } = hub.options;
  if (channelLimit > 0 && session.subscriptions.size >= channelLimit) {
    session.close(disconnects.channelLimit);
    return;
  }
  const joined = await joinChannel(session, {
    channel,
    rules,
    isServerSide: true,
    request: recoverSince === undefined ? {} : { recover: true, ...recoverSince },
    authorise: () => grant,
  });
  if (isRefusal(joined)) {
    hub.logger.warn(
      { client: session.id, channel },
      `a subscription made by the server was refused: ${joined.message}`,
    );
    return;
  }
  const { recoverable, positioned, epoch, offset, data, publications = [] } = joined.result;
  session.push({
    channel,
    subscribe: {
      ...(recoverable === undefined ? {} : { recoverable }),
      ...(positioned === undefined ? {} : { positioned }),
      ...(epoch === undefined ? {} : { epoch }),
      ...(offset === undefined ? {} : { offset }),
      ...(data === undefined ? {} : { data }),
    },
  });
  // The push has no room for recovered publications: they follow it, as live ones would.
  for (const publication of publications) session.push({ channel, pub: publication });
  completeJoin(joined);
}

function refreshFromServer(
  session: Session,
  message: Extract<SessionOrder, { readonly type: 'refresh' }>,
): void {
  const { expired, expireAt = 0, info } = message;
  const { hub } = session;
  if (expired === true) {
    session.close(disconnects.expired);
    return;
  }
  session.setExpiry(expireAt);
  if (info !== undefined) session.setInfo(info);
  session.push({ refresh: expiryMembers(expireAt, hub.clock.now()) });
}
