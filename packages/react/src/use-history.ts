import { useRef, useState } from 'react';
import type { Publication, SubscriptionState } from '@holdfast/client';
import { useClient } from './provider.tsx';
import { useSubscription } from './use-subscription.ts';

/** What {@link useHistory} gives. A new one after each change. */
export interface HistoryState<Data> {
  /** Oldest first, each once. */
  readonly publications: readonly Publication<Data>[];
  /** The history has been read at least once. */
  readonly isLoaded: boolean;
  readonly error: Error | undefined;
  readonly subscription: SubscriptionState;
}

/**
 * The newest publications of a channel: its history, joined without a gap to what comes after it. Read
 * anew when the connection came back and something may have been missed.
 *
 * @param limit - how many are kept. Default 100.
 */
export function useHistory<Data = unknown>(channel: string, limit = 100): HistoryState<Data> {
  const client = useClient();
  const [loaded, setLoaded] = useState<Omit<HistoryState<Data>, 'subscription'>>({
    publications: [],
    isLoaded: false,
    error: undefined,
  });
  const reading = useRef(0);
  const read = async (): Promise<void> => {
    reading.current += 1;
    const turn = reading.current;
    // What comes while the history is read is kept, and joined by its position.
    setLoaded((state) => ({ ...state, publications: [] }));
    try {
      const { publications } = await client.history<Data>(channel, { limit, reverse: true });
      if (turn !== reading.current) return;
      const history = publications.toReversed();
      setLoaded((state) => ({
        publications: joined(history, state.publications, limit),
        isLoaded: true,
        error: undefined,
      }));
    } catch (error) {
      if (turn === reading.current) setLoaded((state) => ({ ...state, error: error as Error }));
    }
  };
  const subscription = useSubscription<Data>(channel, {
    onPublication: (publication) =>
      setLoaded((state) => ({
        ...state,
        publications: joined(state.publications, [publication], limit),
      })),
    onSubscribed: ({ recovered }) => {
      if (recovered !== true || !loaded.isLoaded) void read();
    },
  });
  return { ...loaded, subscription };
}

function joined<Data>(
  before: readonly Publication<Data>[],
  after: readonly Publication<Data>[],
  limit: number,
): readonly Publication<Data>[] {
  const top = before.at(-1)?.offset;
  const newer = after.filter(
    ({ offset }) => top === undefined || offset === undefined || offset > top,
  );
  return [...before, ...newer].slice(-limit);
}
