import { type RefObject, useEffect, useRef, useState } from 'react';
import type { Client, Entry, SubscriptionState } from '@holdfast/client';
import { useClient } from './provider.tsx';
import { useNewest } from './use-newest.ts';
import { notYetSubscribed } from './use-subscription.ts';

/** Keys of a channel and what they have. */
export interface KeyedState<Value> {
  /** By key; a new map after each change. */
  readonly entries: ReadonlyMap<string, Entry<Value>>;
  readonly subscription: SubscriptionState;
}

interface Followed<Value> {
  readonly entries: ReadonlyMap<string, Entry<Value>>;
  readonly state: SubscriptionState;
  onChange(listener: () => void): () => void;
  close(): void;
}

const nothingYet: KeyedState<never> = { entries: new Map(), subscription: notYetSubscribed };

/** Follows a channel with keys as long as the component is mounted. */
export function useKeyed<Value, Use extends Followed<Value>>(
  channel: string | undefined,
  open: (client: Client, channel: string) => Use,
): readonly [KeyedState<Value>, RefObject<Use | undefined>] {
  const client = useClient();
  const newestOpen = useNewest(open);
  const use = useRef<Use>(undefined);
  const [state, setState] = useState<KeyedState<Value>>(nothingYet);
  useEffect(() => {
    if (channel === undefined) return undefined;
    const opened = newestOpen.current(client, channel);
    const show = (): void => setState({ entries: opened.entries, subscription: opened.state });
    const stop = opened.onChange(show);
    use.current = opened;
    show();
    return () => {
      use.current = undefined;
      stop();
      opened.close();
      setState(nothingYet);
    };
  }, [client, channel, newestOpen]);
  return [state, use];
}
