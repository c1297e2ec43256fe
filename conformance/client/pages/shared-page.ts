import { type Client, type Subscription } from '@holdfast/client';
import { createSharedClient } from '@holdfast/client/shared';

/** What a test asks of the page, through `page.evaluate`. */
interface PageApi {
  client: Client;
  subscription: Subscription;
  received: unknown[];
  recovered: (boolean | undefined)[];
}

const scope = globalThis as unknown as {
  api: PageApi;
  location: { origin: string; search: string };
  SharedWorker: new (url: string, options: object) => unknown;
};
const parameters = new URLSearchParams(scope.location.search);
const received: unknown[] = [];
const recovered: (boolean | undefined)[] = [];
const client = createSharedClient({
  url: scope.location.origin,
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
scope.api = { client, subscription, received, recovered };
