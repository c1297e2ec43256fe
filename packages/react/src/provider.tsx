import { createContext, type ReactNode, useContext, useEffect } from 'react';
import type { Client } from '@holdfast/client';

const ClientContext = createContext<Client | undefined>(undefined);

/** The client of the page, and who may use it. */
export interface HoldfastProviderProps {
  /** Made once, outside of any component: a connection belongs to the page, not to a part of it. */
  readonly client: Client;
  readonly children?: ReactNode;
}

/**
 * Gives a client to the hooks below it, and connects it once the page runs in a browser. It is not
 * disconnected on unmount, since it belongs to whoever made it. Renders its children on the server,
 * where nothing connects.
 */
export function HoldfastProvider({ client, children }: HoldfastProviderProps): ReactNode {
  useEffect(() => client.connect(), [client]);
  return <ClientContext value={client}>{children}</ClientContext>;
}

/**
 * The client of the nearest provider.
 *
 * @throws Error when there is no provider above.
 */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client === undefined) {
    throw new Error('there is no HoldfastProvider above this component: put one around the app');
  }
  return client;
}
