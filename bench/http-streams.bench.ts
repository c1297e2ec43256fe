/**
 * Many subscribers through HTTP streaming and SSE beside WebSocket: server memory per connection and
 * CPU per delivery. `npx node --conditions=@holdfast/source bench/http-streams.bench.ts [subscribers]`.
 * The server is a process of its own; this process is the load generator, on raw TCP.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import path from 'node:path';

const subscribers = Number(process.argv[2] ?? 10_000);
const publications = 30;
const connectsAtOnce = 200;
const marker = 'bench-publication';
const payload = marker.padEnd(198, '.');
const commands = '{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"news"}}';

interface Usage {
  readonly cpuMicroseconds: number;
  readonly rss: number;
  readonly subscriptions: number;
}

/** What each kind of connection sends to become a subscriber. */
const openings = {
  websocket: [
    'GET /connection/websocket HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n',
    maskedText(commands),
  ],
  http_stream: [
    `POST /connection/http_stream HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${commands.length}\r\n\r\n${commands}`,
  ],
  sse: [
    `GET /connection/sse?cf_connect=${encodeURIComponent(commands)} HTTP/1.1\r\nHost: bench\r\n\r\n`,
  ],
} as const satisfies Record<string, readonly (string | Buffer)[]>;

/** A client frame of RFC 6455 with a mask of zeros. */
function maskedText(text: string): Buffer {
  const { length } = text;
  if (length > 125) throw new Error('longer than a short frame');
  return Buffer.concat([Buffer.from([0x81, 0x80 | length, 0, 0, 0, 0]), Buffer.from(text)]);
}

async function measure(kind: keyof typeof openings): Promise<void> {
  const server = fork(path.join(import.meta.dirname, 'http-streams-server.ts'), {
    execArgv: ['--conditions=@holdfast/source', '--expose-gc', '--max-semi-space-size=16'],
  });
  const [{ port }] = (await once(server, 'message')) as [{ readonly port: number }];
  const usage = async (): Promise<Usage> => {
    server.send({});
    const [message] = (await once(server, 'message')) as [Usage];
    return message;
  };
  const before = await usage();
  const sockets: Socket[] = [];
  const arrivals = { received: 0 };
  const open = async (index: number): Promise<void> => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      localAddress: `127.0.0.${2 + (index % 20)}`,
    });
    sockets.push(socket);
    socket.on('error', (error) => {
      throw error;
    });
    await once(socket, 'connect');
    for (const part of openings[kind]) {
      socket.write(part);
      // The second part of a WebSocket opening follows the server's answer.
      if (openings[kind].length > 1 && typeof part === 'string') await once(socket, 'data');
    }
    socket.on('data', (data: Buffer) => {
      for (let at = data.indexOf(marker); at !== -1; at = data.indexOf(marker, at + 1))
        arrivals.received += 1;
    });
  };
  for (let start = 0; start < subscribers; start += connectsAtOnce) {
    const size = Math.min(connectsAtOnce, subscribers - start);
    await Promise.all(Array.from({ length: size }, (_, index) => open(start + index)));
  }
  let idle = await usage();
  while (idle.subscriptions < subscribers) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    idle = await usage();
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  idle = await usage();
  for (let count = 1; count <= publications; count += 1) {
    server.send({ publish: payload });
    const wanted = count * subscribers;
    while (arrivals.received < wanted) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const after = await usage();
  const perConnection = (idle.rss - before.rss) / subscribers / 1024;
  const perDelivery = (after.cpuMicroseconds - idle.cpuMicroseconds) / (publications * subscribers);
  console.log(
    `${kind.padEnd(14)}${perConnection.toFixed(1).padStart(12)}${perDelivery.toFixed(2).padStart(14)}`,
  );
  for (const socket of sockets) socket.destroy();
  server.disconnect();
  await once(server, 'exit');
}

console.log(
  `${subscribers} subscribers, ${publications} publications of ${payload.length + 2} bytes\n`,
);
console.log(`${''.padEnd(14)}${'KB/connection'.padStart(12)}${'µs/delivery'.padStart(14)}`);
for (const kind of ['websocket', 'http_stream', 'sse'] as const) await measure(kind);
