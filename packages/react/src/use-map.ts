import { type RefObject, useMemo } from 'react';
import type { MapOptions, MapSubscription } from '@holdfast/client';
import { type KeyedState, useKeyed } from './use-keyed.ts';
import { useNewest } from './use-newest.ts';

/** What {@link useMap} gives. */
export interface MapState<Value> extends KeyedState<Value> {
  /** Writes a key; waits for a connection like `Client.publish`. */
  readonly set: (key: string, value: Value) => Promise<void>;
  readonly remove: (key: string) => Promise<void>;
}

/**
 * Follows a map channel as long as the component is mounted. Any number of components may follow the
 * same one. The newest callbacks are the ones called; other options count when the channel changes.
 * `undefined` for a channel follows nothing, and rejects `set` and `remove`.
 */
export function useMap<Value = unknown>(
  channel: string | undefined,
  options: MapOptions<Value> = {},
): MapState<Value> {
  const newest = useNewest(options);
  const [state, map] = useKeyed<Value, MapSubscription<Value>>(channel, (client, name) =>
    client.subscribeMap<Value>(name, {
      ...newest.current,
      onSync: (entries) => newest.current.onSync?.(entries),
      onChange: (change) => newest.current.onChange?.(change),
    }),
  );
  const actions = useMemo(
    () => ({
      set: async (key: string, value: Value) => opened(map).set(key, value),
      remove: async (key: string) => opened(map).remove(key),
    }),
    [map],
  );
  return { ...state, ...actions };
}

function opened<Value>({
  current,
}: RefObject<MapSubscription<Value> | undefined>): MapSubscription<Value> {
  if (current !== undefined) return current;
  throw new Error('the component follows no map: it is not mounted, or has no channel');
}
