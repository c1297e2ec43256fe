import { type ReactNode, useState } from 'react';
import { createClient, type Entry } from '@holdfast/client';
import { createSharedClient } from '@holdfast/client/shared';
import { HoldfastProvider, useMap, useSharedPoll } from '@holdfast/react';
import { mountPage } from '../../mount-page.tsx';

const scope = globalThis as unknown as {
  location: { origin: string; search: string };
  /** The application's backend, which the test is. */
  sign(keys: readonly string[]): Promise<{ keys: readonly string[]; signature: string }>;
};
const backoff = { minDelayMs: 20, maxDelayMs: 200, stableMs: 10_000 };
const create = scope.location.search === '?shared' ? createSharedClient : createClient;
const client = create({ url: scope.location.origin, backoff });

const textOf = (entries: ReadonlyMap<string, Entry>): string =>
  JSON.stringify(Object.fromEntries([...entries].map(([key, { value }]) => [key, value])));

function Writer(): ReactNode {
  const [changed, setChanged] = useState<readonly string[]>([]);
  const { entries, subscription, set, remove } = useMap<number>('map:a', {
    onChange: ({ key }) => setChanged((before) => [...before, key]),
  });
  return (
    <>
      <p id="map-state">{subscription.status}</p>
      <p id="map">{textOf(entries)}</p>
      <p id="changed">{changed.join(' ')}</p>
      <button type="button" onClick={() => void set('written', entries.size)}>
        write
      </button>
      <button type="button" onClick={() => void remove('written')}>
        remove
      </button>
    </>
  );
}

function Reader(): ReactNode {
  return <p id="same-map">{textOf(useMap('map:a').entries)}</p>;
}

const getSignature = (keys: readonly string[]) => scope.sign(keys);

function Scores({
  id,
  keys,
}: {
  readonly id: string;
  readonly keys: readonly string[];
}): ReactNode {
  const { entries } = useSharedPoll('poll:a', { keys, getSignature });
  return <p id={id}>{textOf(entries)}</p>;
}

function App(): ReactNode {
  const [isShown, setShown] = useState(true);
  const [keys, setKeys] = useState(['a', 'b']);
  return (
    <>
      <button type="button" onClick={() => setShown(!isShown)}>
        toggle
      </button>
      <button type="button" onClick={() => setKeys(['b', 'c'])}>
        other keys
      </button>
      {isShown && <Writer />}
      {isShown && <Reader />}
      {isShown && <Scores id="scores" keys={keys} />}
      {isShown && <Scores id="one-score" keys={['a']} />}
    </>
  );
}

mountPage(
  <HoldfastProvider client={client}>
    <App />
  </HoldfastProvider>,
);
