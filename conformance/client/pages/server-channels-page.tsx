import { type ReactNode, useState } from 'react';
import { createClient } from '@holdfast/client';
import { createSharedClient } from '@holdfast/client/shared';
import { HoldfastProvider, useServerChannels } from '@holdfast/react';
import { mountPage } from '../../mount-page.tsx';

const scope = globalThis as unknown as {
  location: { origin: string; search: string };
};
const create = scope.location.search === '?shared' ? createSharedClient : createClient;
const client = create({
  url: scope.location.origin,
  getToken: async () => (await fetch('/token')).text(),
  backoff: { minDelayMs: 20, maxDelayMs: 200, stableMs: 10_000 },
});

function Updates(): ReactNode {
  const [received, setReceived] = useState<readonly number[]>([]);
  const [told, setTold] = useState<readonly string[]>([]);
  const channels = useServerChannels<number>({
    onPublication: ({ data }) => setReceived((before) => [...before, data]),
    onSubscription: (channel, { status }) =>
      setTold((before) => [...before, `${channel} ${status}`]),
  });
  return (
    <>
      <p id="channels">
        {[...channels].map(([channel, { status }]) => `${channel} ${status}`).join(', ')}
      </p>
      <p id="received">{JSON.stringify(received)}</p>
      <p id="told">{told.join(', ')}</p>
    </>
  );
}

function App(): ReactNode {
  const [isShown, setShown] = useState(true);
  return (
    <>
      <button type="button" onClick={() => setShown(!isShown)}>
        toggle
      </button>
      {isShown && <Updates />}
    </>
  );
}

mountPage(
  <HoldfastProvider client={client}>
    <App />
  </HoldfastProvider>,
);
