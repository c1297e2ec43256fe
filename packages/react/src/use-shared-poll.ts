import { useEffect } from 'react';
import type { PollOptions, PollSubscription } from '@holdfast/client';
import { useClient } from './provider.tsx';
import { type KeyedState, useKeyed } from './use-keyed.ts';
import { useNewest } from './use-newest.ts';

/** Which keys are shown, and how they may be tracked. */
export interface SharedPollOptions<Value = unknown> extends PollOptions<Value> {
  /** Those that this component shows. */
  readonly keys: readonly string[];
}

/**
 * Follows keys of a shared-poll channel as long as the component is mounted: `entries` has those of
 * them that have a value. Any number of components may follow the same channel, each its own keys;
 * which keys those are may change at any time. The newest callbacks are the ones called; other options
 * count when the channel changes. `undefined` for a channel follows nothing.
 */
export function useSharedPoll<Value = unknown>(
  channel: string | undefined,
  { keys, ...options }: SharedPollOptions<Value>,
): KeyedState<Value> {
  const client = useClient();
  const newest = useNewest(options);
  const [state, poll] = useKeyed<Value, PollSubscription<Value>>(channel, (client, name) =>
    client.subscribePoll<Value>(name, {
      ...newest.current,
      getSignature: (wanted) => newest.current.getSignature(wanted),
      onChange: (change) => newest.current.onChange?.(change),
    }),
  );
  const wanted = JSON.stringify([...new Set(keys)].toSorted());
  useEffect(() => {
    const own = JSON.parse(wanted) as readonly string[];
    const { current } = poll;
    current?.track(own);
    // What the next ones have in common with these is tracked again before it is given up.
    return () => current?.untrack(own);
  }, [client, channel, poll, wanted]);
  return state;
}
