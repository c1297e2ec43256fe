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
