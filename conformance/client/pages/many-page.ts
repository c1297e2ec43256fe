import { type Client, createClient } from '@holdfast/client';

const scope = globalThis as unknown as { clients: Client[]; location: { origin: string } };
/** A hundred connects at once; every second client is thrown away in the same turn, as StrictMode does. */
scope.clients = Array.from({ length: 100 }, () => {
  const options = { url: scope.location.origin, connectTimeoutMs: 60_000 };
  const discarded = createClient(options);
  discarded.connect();
  discarded.close();
  const client = createClient(options);
  client.connect();
  return client;
});
