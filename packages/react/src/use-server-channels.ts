import { useCallback, useSyncExternalStore } from 'react';
import type { ServerChannelListeners, SubscriptionState } from '@holdfast/client';
import { useClient } from './provider.tsx';
import { useNewest } from './use-newest.ts';

/**
 * The channels that the server subscribed this connection to, by name, and what happens in them as long
 * as the component is mounted. The newest callbacks are the ones called.
 */
export function useServerChannels<Data = unknown>(
  listeners: ServerChannelListeners<Data> = {},
): ReadonlyMap<string, SubscriptionState> {
  const client = useClient();
  const newest = useNewest(listeners);
  const subscribe = useCallback(
    (show: () => void) =>
      client.onServerChannels<Data>({
        onPublication: (publication) => {
          show();
          newest.current.onPublication?.(publication);
        },
        onSubscription: (channel, state) => {
          show();
          newest.current.onSubscription?.(channel, state);
        },
      }),
    [client, newest],
  );
  const read = useCallback(() => client.serverChannels, [client]);
  return useSyncExternalStore(subscribe, read, read);
}
