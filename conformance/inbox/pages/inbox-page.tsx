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
}

const scope = globalThis as unknown as {
  api: PageApi;
  location: { origin: string; search: string };
  SharedWorker: new (url: string, options: object) => unknown;
};
const parameters = new URLSearchParams(scope.location.search);
const user = parameters.get('user') ?? '';
const url = scope.location.origin;
const backoff = { minDelayMs: 20, maxDelayMs: 200, stableMs: 10_000 };
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
const heard: string[] = [];
inbox.onNotification(({ title }) => heard.push(title));
scope.api = { client, inbox, heard };

const topics = [
  { name: 'news', title: 'News of the shop', hint: 'About once a month.' },
  { name: 'sale', title: 'Sales' },
];
const categories = [
  { name: 'orders', title: 'Orders', hint: 'From the payment to your door.' },
  { name: 'ads', title: 'Offers' },
];

mountPage(
  <HoldfastProvider client={client}>
    <InboxProvider inbox={inbox}>
      <header>
        <strong>Acme</strong>
        <button type="button">before</button>
        <InboxBell topics={topics} categories={categories} />
        <button type="button">after</button>
      </header>
      {parameters.has('panel') && <InboxPanel />}
      {parameters.has('preferences') && <InboxPreferences />}
    </InboxProvider>
  </HoldfastProvider>,
);
