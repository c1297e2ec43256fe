import {
  type Client,
  createClient,
  createEnvironment,
  type MapSubscription,
  type Subscription,
} from '@holdfast/client';
import { createSharedClient } from '@holdfast/client/shared';

/** What a test asks of the page, through `page.evaluate`. */
interface PageApi {
  client: Client;
  subscription: Subscription;
  received: unknown[];
  recovered: (boolean | undefined)[];
  /** In channels that the server subscribed to. */
  serverReceived: unknown[];
  serverRecovered: (boolean | undefined)[];
  /** A map, where the page was asked to follow it. */
  map: { subscription: MapSubscription<number>; syncs: number; wentBack: string[] } | undefined;
  /** How far the clock of the client is ahead. */
  skewMs: number;
}

const scope = globalThis as unknown as {
  api: PageApi;
  location: { origin: string; search: string };
  SharedWorker: new (url: string, options: object) => unknown;
};
const parameters = new URLSearchParams(scope.location.search);
const received: unknown[] = [];
const recovered: (boolean | undefined)[] = [];
const serverReceived: unknown[] = [];
const serverRecovered: (boolean | undefined)[] = [];
const create = parameters.has('own') ? createClient : createSharedClient;
const client = create({
  url: parameters.get('server') ?? scope.location.origin,
  environment: { ...createEnvironment(), now: () => Date.now() + (scope.api?.skewMs ?? 0) },
  ...(parameters.has('jwt') ? { getToken: async () => (await fetch('/token')).text() } : {}),
  ...(parameters.has('hasty') ? { connectTimeoutMs: 1_000 } : {}),
  onServerPublication: ({ data }) => serverReceived.push(data),
  onServerSubscription: (_channel, state) => {
    if (state.status === 'subscribed') serverRecovered.push(state.recovered);
  },
  backoff: { minDelayMs: 20, maxDelayMs: 200, stableMs: 10_000 },
  ...(parameters.has('worker')
    ? { worker: (name: string) => new scope.SharedWorker('/worker.js', { name }) }
    : {}),
});
client.connect();
const subscription = client.subscribe('news', {
  onPublication: ({ data }) => received.push(data),
  onSubscribed: (state) => recovered.push(state.recovered),
});

/** Follows a map whose keys never end and whose values only grow, and notes what does otherwise. */
function followMap(): PageApi['map'] {
  const wentBack: string[] = [];
  const followed = client.subscribeMap<number>('map:a', {
    onSync: () => (map.syncs += 1),
  });
  const map = { subscription: followed, syncs: 0, wentBack };
  let before = followed.entries;
  followed.onChange(() => {
    const { entries } = followed;
    for (const [key, { value }] of before) {
      if ((entries.get(key)?.value ?? -1) < value) wentBack.push(key);
    }
    before = entries;
  });
  return map;
}

scope.api = {
  client,
  subscription,
  received,
  recovered,
  serverReceived,
  serverRecovered,
  map: parameters.has('map') ? followMap() : undefined,
  skewMs: 0,
};
