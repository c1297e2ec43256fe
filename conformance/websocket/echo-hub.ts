import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHub, type Hub, type HubOptions } from '@holdfast/hub';

/** A hub on a free loopback port that answers every RPC with its own data. */
export interface EchoHub extends AsyncDisposable {
  readonly port: number;
  readonly hub: Hub;
}

export async function startEchoHub(options: HubOptions = {}): Promise<EchoHub> {
  const hub = createHub({ ...options, client: { insecure: true, ...options.client } });
  hub.on('rpc', ({ data }) => (data === undefined ? {} : { data }));
  await hub.start();
  const server = createServer();
  hub.attach(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    hub,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      await hub.shutdown({ timeoutMs: 1_000 });
      server.closeAllConnections();
      server.close();
    },
  };
}
