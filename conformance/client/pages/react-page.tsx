import { useState } from 'react';
import { createClient } from '@holdfast/client';
import {
  HoldfastProvider,
  useConnection,
  useHistory,
  usePresence,
  useSubscription,
} from '@holdfast/react';
import { mountPage } from '../../mount-page.tsx';

const scope = globalThis as unknown as {
  location: { origin: string };
};
const client = createClient({ url: scope.location.origin });

function News(): React.ReactNode {
  const [received, setReceived] = useState<readonly unknown[]>([]);
  const { status } = useSubscription('news', {
    onPublication: ({ data }) => setReceived((before) => [...before, data]),
  });
  const history = useHistory<number>('news');
  const present = usePresence('news');
  return (
    <>
      <p id="subscription">{status}</p>
      <p id="received">{JSON.stringify(received)}</p>
      <p id="history">{JSON.stringify(history.publications.map(({ data }) => data))}</p>
      <p id="present">{present.size}</p>
    </>
  );
}

function App(): React.ReactNode {
  const { status } = useConnection();
  const [isShown, setShown] = useState(true);
  return (
    <>
      <p id="connection">{status}</p>
      <button type="button" onClick={() => setShown(!isShown)}>
        toggle
      </button>
      {isShown && <News />}
    </>
  );
}

mountPage(
  <HoldfastProvider client={client}>
    <App />
  </HoldfastProvider>,
);
