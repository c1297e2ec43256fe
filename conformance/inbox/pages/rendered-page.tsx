import type { ReactNode } from 'react';
import type { Client } from '@holdfast/client';
import type { InboxStore } from '@holdfast/client/inbox';
import { HoldfastProvider } from '@holdfast/react';
import { InboxBell, InboxPanel, InboxPreferences, InboxProvider } from '@holdfast/react/inbox';

export interface RenderedPageProps {
  readonly client: Client;
  readonly inbox: InboxStore;
  readonly nonce: string | undefined;
}

/** What a server renders, and a browser goes on with. */
export function RenderedPage({ client, inbox, nonce }: RenderedPageProps): ReactNode {
  const topics = [{ name: 'news', title: 'News of the shop' }];
  return (
    <HoldfastProvider client={client}>
      <InboxProvider inbox={inbox}>
        <header>
          <InboxBell nonce={nonce} topics={topics} />
        </header>
        <InboxPanel nonce={nonce} />
        <InboxPreferences nonce={nonce} topics={topics} />
      </InboxProvider>
    </HoldfastProvider>
  );
}
