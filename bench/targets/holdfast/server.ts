import { createServer } from 'node:http';
import { createHub, createJwtVerifier } from '@holdfast/hub';
import { listen } from '../listen.ts';
import type { StartServer } from '../target.ts';
import { tokenSecret } from './token.ts';

/** The hub with its defaults, in a server that does nothing else; clients come with a token. */
export const startHoldfast: StartServer = async ({ pingIntervalMs }) => {
  const hub = createHub({
    client: { pingIntervalMs, pongTimeoutMs: Math.min(8_000, pingIntervalMs / 2) },
    channel: { withoutNamespace: { allowSubscribeForClient: true } },
    tokens: createJwtVerifier({ hmacSecretKey: tokenSecret }),
  });
  await hub.start();
  const server = createServer();
  hub.attach(server);
  return {
    ...(await listen(server)),
    async publish(messages) {
      await Promise.all(messages.map((message) => hub.publish('bench', Buffer.from(message))));
    },
  };
};
