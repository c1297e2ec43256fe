import { StrictMode } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { createInboxStore, createUserApi } from '@holdfast/client/inbox';
import { createSharedClient } from '@holdfast/client/shared';
import { RenderedPage } from './rendered-page.tsx';

const scope = globalThis as unknown as {
  /** What React found to be different from what the server had rendered, and drew anew. */
  recovered: string[];
  nonce: string | undefined;
  location: { origin: string };
  document: { getElementById(id: string): never };
};
const url = scope.location.origin;
const getToken = async (): Promise<string> => (await fetch('/token?user=ann')).text();
const client = createSharedClient({ url, user: 'ann', getToken });
const inbox = createInboxStore({ client, api: createUserApi({ url, getToken }) });
scope.recovered = [];

hydrateRoot(
  scope.document.getElementById('root'),
  <StrictMode>
    <RenderedPage client={client} inbox={inbox} nonce={scope.nonce} />
  </StrictMode>,
  { onRecoverableError: (error) => void scope.recovered.push(String(error)) },
);
