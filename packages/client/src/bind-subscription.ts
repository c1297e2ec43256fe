import type { ClientInfo as EngineInfo, Subscription } from 'centrifuge';
import type { ChannelEvent, ClientInfo, Publication, StateEvent } from './wire.ts';

/** Turns what the engine's subscription says about itself into channel events. */
export function bindState(
  subscription: Pick<Subscription, 'on'>,
  report: (event: StateEvent) => void,
): void {
  subscription.on('subscribing', ({ code, reason }) => {
    report({ type: 'subscribing', code, reason });
  });
  subscription.on('subscribed', (context) => {
    const { wasRecovering, recovered, streamPosition: position } = context;
    const data: unknown = context.data;
    report({
      type: 'subscribed',
      wasRecovering,
      recovered,
      ...(position === undefined ? {} : { position }),
      ...(data === undefined ? {} : { data }),
    });
  });
  subscription.on('unsubscribed', ({ code, reason }) => {
    report({ type: 'unsubscribed', code, reason });
  });
  subscription.on('error', ({ error: { code, message } }) => {
    report({ type: 'error', code, message });
  });
}

/** Turns all that the engine's subscription to a stream emits into channel events. */
export function bindSubscription(
  subscription: Subscription,
  report: (event: ChannelEvent) => void,
): void {
  bindState(subscription, report);
  subscription.on('publication', ({ channel, data, offset, tags, info }) => {
    const publication: Publication = {
      channel,
      data: data as unknown,
      ...(offset === undefined ? {} : { offset }),
      ...(tags === undefined ? {} : { tags }),
      ...(info === undefined ? {} : { info: clientInfo(info) }),
    };
    report({ type: 'publication', publication });
  });
  subscription.on('join', ({ info }) => report({ type: 'join', info: clientInfo(info) }));
  subscription.on('leave', ({ info }) => report({ type: 'leave', info: clientInfo(info) }));
}

export function clientInfo({ client, user, connInfo, chanInfo }: EngineInfo): ClientInfo {
  return {
    client,
    user,
    ...(connInfo === undefined ? {} : { connInfo: connInfo as unknown }),
    ...(chanInfo === undefined ? {} : { chanInfo: chanInfo as unknown }),
  };
}
