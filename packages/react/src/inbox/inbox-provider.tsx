import { createContext, type ReactNode, useContext } from 'react';
import type { InboxStore } from '@holdfast/client/inbox';

const InboxContext = createContext<InboxStore | undefined>(undefined);

/** The inbox of the page, and who may use it. */
export interface InboxProviderProps {
  /** Made once, outside of any component: it belongs to the page, as its connection does. */
  readonly inbox: InboxStore;
  readonly children?: ReactNode;
}

/** Gives an inbox to the hooks and components below it. It begins to read when one of them is shown. */
export function InboxProvider({ inbox, children }: InboxProviderProps): ReactNode {
  return <InboxContext value={inbox}>{children}</InboxContext>;
}

let keysGiven = 0;
const keys = new WeakMap<InboxStore, number>();

/**
 * For the `key` of what belongs to one inbox: with another user's, whatever was kept for the first (what
 * was said, opened or typed) is gone.
 */
export function useInboxKey(): number {
  const inbox = useInboxStore();
  let key = keys.get(inbox);
  if (key === undefined) keys.set(inbox, (key = ++keysGiven));
  return key;
}

/**
 * The inbox of the nearest provider.
 *
 * @throws Error when there is no provider above.
 */
export function useInboxStore(): InboxStore {
  const inbox = useContext(InboxContext);
  if (inbox === undefined) {
    throw new Error('there is no InboxProvider above this component: put one around the app');
  }
  return inbox;
}
