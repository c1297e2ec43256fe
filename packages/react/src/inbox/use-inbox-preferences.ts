import { useEffect, useMemo } from 'react';
import type { InboxSnapshot, InboxStore } from '@holdfast/client/inbox';
import { useInbox } from './use-inbox.ts';

/** What the user has set, and what can be done about it. */
export type InboxPreferencesState = Pick<InboxSnapshot, 'settings' | 'status' | 'problem'> &
  Pick<InboxStore, 'setPreferences' | 'subscribeTopic' | 'unsubscribeTopic' | 'retry'>;

/**
 * The user's preferences and topics, which are read when this is first used and followed from then
 * on: `settings` is undefined until then. Renders anew with each change, in whatever tab or device.
 */
export function useInboxPreferences(): InboxPreferencesState {
  const inbox = useInbox();
  const { settings, status, problem, openSettings } = inbox;
  const { setPreferences, subscribeTopic, unsubscribeTopic, retry } = inbox;
  useEffect(() => openSettings(), [openSettings]);
  return useMemo(
    () => ({
      settings,
      status,
      problem,
      setPreferences,
      subscribeTopic,
      unsubscribeTopic,
      retry,
    }),
    [settings, status, problem, setPreferences, subscribeTopic, unsubscribeTopic, retry],
  );
}
