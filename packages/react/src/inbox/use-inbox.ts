import { useCallback, useEffect, useMemo, useSyncExternalStore } from 'react';
import type { Arrival, InboxSnapshot, InboxStore, Notification } from '@holdfast/client/inbox';
import { useNewest } from '../use-newest.ts';
import { useInboxStore } from './inbox-provider.tsx';

type Actions = Omit<
  InboxStore,
  'getSnapshot' | 'getServerSnapshot' | 'subscribe' | 'onNotification' | 'close'
>;

/** Who hears of what comes. */
export interface UseInboxOptions {
  /** Called for each notification that comes; see `InboxStore.onNotification`. */
  readonly onNotification?: (notification: Notification, arrival: Arrival) => void;
}

/**
 * The user's inbox: what there is to show, which renders anew with each change, and what can be done.
 * The newest callback is the one called.
 */
export function useInbox({ onNotification }: UseInboxOptions = {}): InboxSnapshot & Actions {
  const inbox = useInboxStore();
  const subscribe = useCallback((listener: () => void) => inbox.subscribe(listener), [inbox]);
  const snapshot = useSyncExternalStore(
    subscribe,
    useCallback(() => inbox.getSnapshot(), [inbox]),
    useCallback(() => inbox.getServerSnapshot(), [inbox]),
  );
  const newest = useNewest(onNotification);
  const isListening = onNotification !== undefined;
  useEffect(() => {
    if (!isListening) return undefined;
    return inbox.onNotification((...arguments_) => newest.current?.(...arguments_));
  }, [inbox, isListening, newest]);
  const actions = useMemo(() => actionsOf(inbox), [inbox]);
  return useMemo(() => ({ ...snapshot, ...actions }), [snapshot, actions]);
}

function actionsOf(inbox: InboxStore): Actions {
  return {
    markRead: (ids) => inbox.markRead(ids),
    markUnread: (ids) => inbox.markUnread(ids),
    readAll: (category) => inbox.readAll(category),
    archive: (ids) => inbox.archive(ids),
    unarchive: (ids) => inbox.unarchive(ids),
    remove: (ids) => inbox.remove(ids),
    loadMore: () => inbox.loadMore(),
    setFilter: (filter) => inbox.setFilter(filter),
    openSettings: () => inbox.openSettings(),
    setPreferences: (change) => inbox.setPreferences(change),
    subscribeTopic: (topic) => inbox.subscribeTopic(topic),
    unsubscribeTopic: (topic) => inbox.unsubscribeTopic(topic),
    retry: () => inbox.retry(),
  };
}
