import { createRoot } from 'react-dom/client';
import { createInboxStore, createUserApi } from '@holdfast/client/inbox';
import { createSharedClient } from '@holdfast/client/shared';
import { HoldfastProvider } from '@holdfast/react';
import { InboxPanel, InboxProvider } from '@holdfast/react/inbox';

/** The part of the DOM that is used here; the workspace is compiled without its types. */
interface Page {
  readonly location: { readonly search: string };
  readonly document: {
    readonly body: { readonly textContent: string };
    getElementById(id: string): never;
  };
  readonly MutationObserver: new (listener: () => void) => {
    observe(target: unknown, options: object): void;
  };
  requestAnimationFrame(callback: () => void): void;
  /** Unix milliseconds at which each title was on the screen. */
  shownAt: Record<string, number>;
}

const page = globalThis as unknown as Page;
const parameters = new URLSearchParams(page.location.search);
const url = parameters.get('server') ?? '';
const user = parameters.get('user') ?? '';
const token = parameters.get('token') ?? '';
const getToken = (): Promise<string> => Promise.resolve(token);

const client = createSharedClient({ url, user, getToken });
const inbox = createInboxStore({ client, api: createUserApi({ url, getToken }) });

page.shownAt = {};
new page.MutationObserver(() => {
  // Once the frame that has the change is being drawn.
  page.requestAnimationFrame(() => {
    const now = Date.now();
    for (const [title] of page.document.body.textContent.matchAll(/bench-\d+\./g)) {
      page.shownAt[title] ??= now;
    }
  });
}).observe(page.document.body, { subtree: true, childList: true, characterData: true });

createRoot(page.document.getElementById('root')).render(
  <HoldfastProvider client={client}>
    <InboxProvider inbox={inbox}>
      <InboxPanel />
    </InboxProvider>
  </HoldfastProvider>,
);
