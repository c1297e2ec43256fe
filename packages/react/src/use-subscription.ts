import { useEffect, useState } from 'react';
import type { SubscriptionOptions, SubscriptionState } from '@holdfast/client';
import { useClient } from './provider.tsx';
import { useNewest } from './use-newest.ts';

/** Of a component that has not asked for anything yet. */
export const notYetSubscribed: SubscriptionState = {
  status: 'subscribing',
  position: undefined,
  recovered: undefined,
  problem: undefined,
};

/**
 * Subscribes to a channel as long as the component is mounted, and gives the subscription's state.
 * The newest callbacks are the ones called; other options count when the channel changes. `undefined`
 * for a channel subscribes to nothing.
 */
export function useSubscription<Data = unknown>(
  channel: string | undefined,
  options: SubscriptionOptions<Data> = {},
): SubscriptionState {
  const client = useClient();
  const newest = useNewest(options);
  const [state, setState] = useState(notYetSubscribed);
  useEffect(() => {
    if (channel === undefined) return undefined;
    const subscription = client.subscribe<Data>(channel, {
      ...newest.current,
      onPublication: (publication) => newest.current.onPublication?.(publication),
      onJoin: (info) => newest.current.onJoin?.(info),
      onLeave: (info) => newest.current.onLeave?.(info),
      onSubscribed: (subscribed) => newest.current.onSubscribed?.(subscribed),
    });
    const stop = subscription.onChange(() => setState(subscription.state));
    setState(subscription.state);
    return () => {
      stop();
      subscription.close();
      setState(notYetSubscribed);
    };
  }, [client, channel, newest]);
  return state;
}
