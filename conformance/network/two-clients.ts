import { type Client, type ClientOptions, createClient } from '@holdfast/client';
import { Centrifuge, type Options } from 'centrifuge';
import { WebSocket } from 'ws';

export interface TwoClientsOptions {
  /** A class whose sockets go over the path that is to be broken. @defaultValue that of `ws` */
  readonly webSocket?: unknown;
  readonly getToken?: () => Promise<string>;
}

/** A stock client and one of ours, subscribed to the same channel, which notice losses quickly. */
export interface TwoClients extends Disposable {
  readonly stock: Centrifuge;
  readonly own: Client;
  /** What the application of each was given. */
  readonly received: { readonly stock: readonly unknown[]; readonly own: readonly unknown[] };
  /** For each time that a client subscribed again: whether it recovered what it had missed. */
  readonly recovered: { readonly stock: readonly boolean[]; readonly own: readonly boolean[] };
}

export const channel = 'news';

/** @param url - `http://host:port` of the server */
export async function connectTwoClients(
  url: string,
  { webSocket = WebSocket, getToken }: TwoClientsOptions = {},
): Promise<TwoClients> {
  const received = { stock: [] as unknown[], own: [] as unknown[] };
  const recovered = { stock: [] as boolean[], own: [] as boolean[] };
  const stock = new Centrifuge(`${url.replace('http', 'ws')}/connection/websocket`, {
    websocket: webSocket as Options['websocket'],
    timeout: 2_000,
    maxServerPingDelay: 500,
    minReconnectDelay: 50,
    maxReconnectDelay: 300,
    ...(getToken !== undefined && { getToken }),
  });
  const subscription = stock.newSubscription(channel);
  subscription.on('publication', ({ data }) => received.stock.push(data));
  subscription.on('subscribed', (context) => {
    if (context.wasRecovering) recovered.stock.push(context.recovered);
  });
  subscription.subscribe();
  const own = createClient({
    url,
    webSocket,
    endpoints: [
      { transport: 'websocket', endpoint: `${url.replace('http', 'ws')}/connection/websocket` },
    ],
    connectTimeoutMs: 2_000,
    maxPingDelayMs: 500,
    backoff: { minDelayMs: 50, maxDelayMs: 300 },
    ...(getToken !== undefined && ({ getToken } satisfies Partial<ClientOptions>)),
  });
  const isSubscribed = Promise.withResolvers<void>();
  own.subscribe(channel, {
    onPublication: ({ data }) => received.own.push(data),
    onSubscribed: (event) => {
      isSubscribed.resolve();
      if (event.recovered !== undefined) recovered.own.push(event.recovered);
    },
  });
  stock.connect();
  own.connect();
  const clients: TwoClients = {
    stock,
    own,
    received,
    recovered,
    [Symbol.dispose]() {
      stock.disconnect();
      own.close();
    },
  };
  try {
    await subscription.ready(60_000);
    await isSubscribed.promise;
  } catch (error) {
    clients[Symbol.dispose]();
    throw error;
  }
  return clients;
}
