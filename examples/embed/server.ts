// A chat inside a plain Node program: HTTP and live channels on one port, nothing else to run.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHub } from '@holdfast/hub';

const hub = createHub({
  client: { allowedOrigins: ['http://localhost:3000'] },
  channel: {
    withoutNamespace: {
      historySize: 100,
      historyTtlMs: 300_000,
      forceRecovery: true,
      allowSubscribeForClient: true,
    },
  },
});

// Your sessions decide who connects; here a cookie holds the name.
hub.on('connecting', ({ transport }) => {
  const [, user] = /(?:^|; )user=(\w+)/.exec(transport.headers.cookie?.toString() ?? '') ?? [];
  return user === undefined ? undefined : { user };
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST' || request.url !== '/messages') {
    response.writeHead(404).end();
    return;
  }
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text = (text + chunk).slice(0, 10_000);
  const { position } = await hub.publish('chat', { text });
  response.end(`${position?.offset}`);
}

const server = createServer((request, response) => {
  if (hub.handleRequest(request, response)) return;
  answer(request, response).catch(() => response.destroy());
});

hub.attach(server);
server.listen(Number(process.env.PORT ?? 3000), 'localhost', () => {
  console.log(`listening on ${(server.address() as AddressInfo).port}`);
});
process.once('SIGTERM', () => void hub.shutdown().then(() => server.close()));
