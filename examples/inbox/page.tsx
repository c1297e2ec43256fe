import { createRoot } from 'react-dom/client';
import { createInboxStore, createUserApi } from '@holdfast/client/inbox';
import { createSharedClient } from '@holdfast/client/shared';
import { HoldfastProvider } from '@holdfast/react';
import { InboxBell, InboxProvider } from '@holdfast/react/inbox';

declare const HOLDFAST_URL: string;
declare const location: { readonly search: string };
declare const document: { getElementById(id: string): never };

const user = new URLSearchParams(location.search).get('user') ?? 'ann';
const getToken = async () => (await fetch(`/token?user=${user}`)).text();
const order = () => fetch(`/orders?user=${user}`, { method: 'POST' });

const client = createSharedClient({ url: HOLDFAST_URL, user, getToken });
const inbox = createInboxStore({ client, api: createUserApi({ url: HOLDFAST_URL, getToken }) });

const categories = [{ name: 'orders', title: 'Orders', hint: 'From the payment to your door.' }];
const topics = [{ name: 'offers', title: 'Offers', hint: 'About once a week.' }];

createRoot(document.getElementById('root')).render(
  <HoldfastProvider client={client}>
    <InboxProvider inbox={inbox}>
      <header>
        <strong>Shop, for {user}</strong>
        <InboxBell categories={categories} topics={topics} />
      </header>
      <main>
        <button type="button" onClick={() => void order()}>
          Order something
        </button>
      </main>
    </InboxProvider>
  </HoldfastProvider>,
);
