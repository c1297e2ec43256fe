import type {
  ClientInfo as EngineInfo,
  PublicationContext,
  ServerPublicationContext,
  ServerSubscribedContext,
  SubscribedContext,
  Subscription,
} from 'centrifuge';
import type { ChannelEvent, ClientInfo, Publication, StateEvent } from './wire.ts';

/** Turns what the engine's subscription says about itself into channel events. */
export function bindState(
  subscription: Pick<Subscription, 'on'>,
  report: (event: StateEvent) => void,
): void {
  subscription.on('subscribing', ({ code, reason }) => {
    report({ type: 'subscribing', code, reason });
  });
  subscription.on('subscribed', (context) => report(subscribedEvent(context)));
  subscription.on('unsubscribed', ({ code, reason }) => {
    report({ type: 'unsubscribed', code, reason });
  });
  subscription.on('error', ({ error: { code, message } }) => {
    report({ type: 'error', code, message });
  });
}

export function subscribedEvent(context: SubscribedContext | ServerSubscribedContext): StateEvent {
  const { wasRecovering, recovered, streamPosition: position } = context;
  const data: unknown = context.data;
  return {
    type: 'subscribed',
    wasRecovering,
    recovered,
    ...(position === undefined ? {} : { position }),
    ...(data === undefined ? {} : { data }),
  };
}

/** Turns all that the engine's subscription to a stream emits into channel events. */
export function bindSubscription(
  subscription: Subscription,
  report: (event: ChannelEvent) => void,
): void {
  bindState(subscription, report);
  subscription.on('publication', (context) => {
    report({ type: 'publication', publication: publicationOf(context) });
  });
  subscription.on('join', ({ info }) => report({ type: 'join', info: clientInfo(info) }));
  subscription.on('leave', ({ info }) => report({ type: 'leave', info: clientInfo(info) }));
}

/** Without the members that are absent. */
export function publicationOf(context: PublicationContext | ServerPublicationContext): Publication {
  const { channel, data, offset, tags, info } = context;
  return {
    channel,
    data: data as unknown,
    ...(offset === undefined ? {} : { offset }),
    ...(tags === undefined ? {} : { tags }),
    ...(info === undefined ? {} : { info: clientInfo(info) }),
  };
}

export function clientInfo({ client, user, connInfo, chanInfo }: EngineInfo): ClientInfo {
  return {
    client,
    user,
    ...(connInfo === undefined ? {} : { connInfo: connInfo as unknown }),
    ...(chanInfo === undefined ? {} : { chanInfo: chanInfo as unknown }),
  };
}
