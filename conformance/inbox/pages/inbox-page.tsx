import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createInboxStore, createUserApi, type InboxStore } from '@holdfast/client/inbox';
import { createSharedClient } from '@holdfast/client/shared';
import { HoldfastProvider } from '@holdfast/react';
import { InboxBell, InboxPanel, InboxProvider } from '@holdfast/react/inbox';

/** What a test asks of the page, through `page.evaluate`. */
interface PageApi {
  inbox: InboxStore;
  /** Titles of what the application was told of, in order. */
  heard: string[];
}

const scope = globalThis as unknown as {
  api: PageApi;
  location: { origin: string; search: string };
  document: { getElementById(id: string): never };
};
const parameters = new URLSearchParams(scope.location.search);
const user = parameters.get('user') ?? '';
const url = scope.location.origin;
const backoff = { minDelayMs: 20, maxDelayMs: 200, stableMs: 10_000 };
const getToken = async (): Promise<string> => {
  const answer = await fetch(`/token?user=${user}`);
  return answer.text();
};

const client = createSharedClient({ url, user, getToken, backoff });
const inbox = createInboxStore({ client, api: createUserApi({ url, getToken }), backoff });
const heard: string[] = [];
inbox.onNotification(({ title }) => heard.push(title));
scope.api = { inbox, heard };

createRoot(scope.document.getElementById('root')).render(
  <StrictMode>
    <HoldfastProvider client={client}>
      <InboxProvider inbox={inbox}>
        <header>
          <strong>Acme</strong>
          <button type="button">before</button>
          <InboxBell />
          <button type="button">after</button>
        </header>
        {parameters.has('panel') && <InboxPanel />}
      </InboxProvider>
    </HoldfastProvider>
  </StrictMode>,
);
