import { type ReactNode, useState } from 'react';
import type { Client } from '@holdfast/client';
import { createInboxStore, createUserApi, type InboxStore } from '@holdfast/client/inbox';
import { createSharedClient } from '@holdfast/client/shared';
import { HoldfastProvider } from '@holdfast/react';
import { InboxBell, InboxPanel, InboxPreferences, InboxProvider } from '@holdfast/react/inbox';
import { mountPage } from '../../mount-page.tsx';

/** What a test asks of the page, through `page.evaluate`. */
interface PageApi {
  client: Client;
  inbox: InboxStore;
  /** Titles of what the application was told of, in order. */
  heard: string[];
  /** Titles of what the drawer's list drew that is unread, each time. */
  drawn: string[];
  /** The user before is gone from the page, without its being loaded anew. */
  signInAs: (user: string) => void;
}

const scope = globalThis as unknown as {
  api: PageApi;
  location: { origin: string; search: string };
  SharedWorker: new (url: string, options: object) => unknown;
};
const parameters = new URLSearchParams(scope.location.search);
const url = scope.location.origin;
const backoff = { minDelayMs: 20, maxDelayMs: 200, stableMs: 10_000 };

/** A connection and an inbox of this user. */
function signedIn(user: string): { readonly client: Client; readonly inbox: InboxStore } {
  const getToken = async (): Promise<string> => {
    const answer = await fetch(`/token?user=${user}`);
    return answer.text();
  };
  const client = createSharedClient({
    url,
    user,
    getToken,
    backoff,
    ...(parameters.has('worker')
      ? { worker: (name: string) => new scope.SharedWorker('/worker.js', { name }) }
      : {}),
  });
  const inbox = createInboxStore({ client, api: createUserApi({ url, getToken }), backoff });
  inbox.onNotification(({ title }) => scope.api.heard.push(title));
  return { client, inbox };
}

const first = signedIn(parameters.get('user') ?? '');
scope.api = { ...first, heard: [], drawn: [], signInAs: () => undefined };

const labels = {
  locale: parameters.get('locale') ?? undefined,
  markRead: (title: string) => {
    scope.api.drawn.push(title);
    return `Mark as read: ${title}`;
  },
};
const topics = [
  { name: 'news', title: 'News of the shop', hint: 'About once a month.' },
  { name: 'sale', title: 'Sales' },
];
const categories = [
  { name: 'orders', title: 'Orders', hint: 'From the payment to your door.' },
  { name: 'ads', title: 'Offers' },
];

function Application(): ReactNode {
  const [{ client, inbox }, setSession] = useState(first);
  scope.api.signInAs = (user) => {
    scope.api.inbox.close();
    scope.api.client.close();
    const next = signedIn(user);
    Object.assign(scope.api, next);
    setSession(next);
  };
  return (
    <HoldfastProvider client={client}>
      <InboxProvider inbox={inbox}>
        <header>
          <strong>Acme</strong>
          <button type="button">before</button>
          <InboxBell topics={topics} categories={categories} labels={labels} />
          <button type="button">after</button>
          {parameters.has('twice') && <InboxBell />}
        </header>
        {parameters.has('panel') && <InboxPanel />}
        {parameters.has('preferences') && <InboxPreferences />}
      </InboxProvider>
    </HoldfastProvider>
  );
}

mountPage(<Application />);
