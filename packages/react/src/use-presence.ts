import { useRef, useState } from 'react';
import type { ClientInfo } from '@holdfast/client';
import { useClient } from './provider.tsx';
import { useSubscription } from './use-subscription.ts';

const nobody: ReadonlyMap<string, ClientInfo> = new Map();

/**
 * Who is in a channel, by connection id: read when subscribed, kept by what joins and leaves after
 * that. The channel's namespace must have presence and join/leave; without the latter it is as of the
 * newest subscribe.
 */
export function usePresence(channel: string): ReadonlyMap<string, ClientInfo> {
  const client = useClient();
  const [present, setPresent] = useState(nobody);
  // What joined and left since the newest subscribe, to be laid over the answer when that comes.
  const changes = useRef(new Map<string, ClientInfo | undefined>());
  const change = (id: string, info: ClientInfo | undefined): void => {
    changes.current.set(id, info);
    setPresent((people) => overlaid(people, [[id, info]]));
  };
  const read = async (): Promise<void> => {
    const since = new Map<string, ClientInfo | undefined>();
    changes.current = since;
    try {
      const clients = await client.presence(channel);
      if (changes.current === since) setPresent(overlaid(Object.entries(clients), since));
    } catch {
      // No permission, or no presence in this channel: what joins is all that can be known.
      if (changes.current === since) setPresent(overlaid([], since));
    }
  };
  useSubscription(channel, {
    onJoin: (info) => change(info.client, info),
    onLeave: (info) => change(info.client, undefined),
    onSubscribed: () => void read(),
  });
  return present;
}

function overlaid(
  people: Iterable<readonly [string, ClientInfo]>,
  changes: Iterable<readonly [string, ClientInfo | undefined]>,
): ReadonlyMap<string, ClientInfo> {
  const result = new Map(people);
  for (const [id, info] of changes) {
    if (info === undefined) result.delete(id);
    else result.set(id, info);
  }
  return result;
}
