import { type ReactNode, useState } from 'react';
import { createClient } from '@holdfast/client';
import { createSharedClient } from '@holdfast/client/shared';
import { HoldfastProvider, useServerChannels } from '@holdfast/react';
import { mountPage } from '../../mount-page.tsx';

const scope = globalThis as unknown as {
  location: { origin: string; search: string };
  joined: string[];
  arrived: unknown[];
  heard: unknown[];
};
/** Where the page is subscribed, what came to it, and what of that any component heard. */
scope.joined = [];
scope.arrived = [];
scope.heard = [];
const query = new URLSearchParams(scope.location.search);
const create = query.has('shared') ? createSharedClient : createClient;
const signedIn = Promise.withResolvers<void>();
if (!query.has('late')) signedIn.resolve();
const client = create({
  url: scope.location.origin,
  getToken: async () => {
    await signedIn.promise;
    return (await fetch('/token')).text();
  },
  onServerSubscription: (channel, { status }) => {
    if (status === 'subscribed') scope.joined.push(channel);
  },
  onServerPublication: ({ data }) => scope.arrived.push(data),
  backoff: { minDelayMs: 20, maxDelayMs: 200, stableMs: 10_000 },
});

function Updates({ factor }: { readonly factor: number }): ReactNode {
  const [received, setReceived] = useState<readonly number[]>([]);
  const [told, setTold] = useState<readonly string[]>([]);
  const channels = useServerChannels<number>({
    onPublication: ({ data }) => {
      scope.heard.push(data);
      setReceived((before) => [...before, data * factor]);
    },
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
  const [factor, setFactor] = useState(1);
  return (
    <>
      <button type="button" onClick={() => setShown(!isShown)}>
        toggle
      </button>
      <button type="button" onClick={() => setFactor(factor * 10)}>
        other listeners
      </button>
      <button type="button" onClick={() => signedIn.resolve()}>
        sign in
      </button>
      {isShown && <Updates factor={factor} />}
    </>
  );
}

mountPage(
  <HoldfastProvider client={client}>
    <App />
  </HoldfastProvider>,
);
