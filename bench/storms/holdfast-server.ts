import { createServer, type Server } from 'node:http';
import {
  createHub,
  createJwtVerifier,
  type Hub,
  MemoryBroker,
  MemoryExchange,
} from '@holdfast/hub';
import { listen } from '../targets/listen.ts';
import { tokenSecret } from '../targets/holdfast/token.ts';
import type { StormServer, StormServerSettings } from './storm-server.ts';

const channel = {
  withoutNamespace: {
    allowSubscribeForClient: true,
    historySize: 200,
    historyTtlMs: 300_000,
    forceRecovery: true,
  },
};

/**
 * A hub whose broker outlives it, as Redis would: what goes down is the node with its sessions and
 * subscriptions. Publications come from another node.
 */
export async function startHoldfast({ hasAdmission }: StormServerSettings): Promise<StormServer> {
  const exchange = new MemoryExchange();
  const publisher = createHub({ channel, broker: new MemoryBroker({ exchange }) });
  await publisher.start();
  let port = 0;
  let hub: Hub;
  let server: Server;
  const comeUp = async (): Promise<void> => {
    hub = createHub({
      channel,
      broker: new MemoryBroker({ exchange }),
      tokens: createJwtVerifier({ hmacSecretKey: tokenSecret }),
      ...(hasAdmission ? {} : { admission: { concurrency: 0 } }),
    });
    await hub.start();
    server = createServer();
    hub.attach(server);
    ({ port } = await listen(server, port));
  };
  await comeUp();
  return {
    get port() {
      return port;
    },
    async publish(text) {
      await publisher.publish('bench', Buffer.from(text));
    },
    async goDown() {
      server.close();
      await hub.shutdown({ timeoutMs: 0 });
    },
    comeUp,
    stats() {
      const { streamReads, streamQuestions, refusedHandshakes } = hub.metrics;
      return {
        brokerReads: streamReads,
        readers: streamQuestions,
        refused: refusedHandshakes.counts.get('handshake_queue') ?? 0,
      };
    },
  };
}
