import { useCallback, useSyncExternalStore } from 'react';
import type { ConnectionState } from '@holdfast/client';
import { useClient } from './provider.tsx';

/** The state of the connection; renders anew with each change. */
export function useConnection(): ConnectionState {
  const client = useClient();
  const subscribe = useCallback((listener: () => void) => client.onChange(listener), [client]);
  const read = useCallback(() => client.state, [client]);
  return useSyncExternalStore(subscribe, read, read);
}
