/**
 * What a 2 KB document with small edits costs on the wire, counted at the client's socket:
 * `npx node --conditions=@holdfast/source bench/wire-size.bench.ts`.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createHub } from '@holdfast/hub';
import { codecFor, type Format } from '@holdfast/protocol';
import { WebSocket } from 'ws';

const edits = 200;

interface Variant {
  readonly name: string;
  readonly format: Format;
  readonly deflate: boolean;
  readonly delta: boolean;
}

const variants: readonly Variant[] = [
  { name: 'JSON', format: 'json', deflate: false, delta: false },
  { name: 'JSON, deflate', format: 'json', deflate: true, delta: false },
  { name: 'JSON, delta', format: 'json', deflate: false, delta: true },
  { name: 'JSON, delta, deflate', format: 'json', deflate: true, delta: true },
  { name: 'Protobuf', format: 'protobuf', deflate: false, delta: false },
  { name: 'Protobuf, delta', format: 'protobuf', deflate: false, delta: true },
];

/** A document of about 2 KB in which each edit changes two values. */
function documentAfter(edit: number): object {
  return {
    title: 'Match report',
    updated: 1_790_000_000_000 + edit * 1_000,
    players: Array.from({ length: 24 }, (_, index) => ({
      id: 1_000 + index,
      name: `Player number ${index}`,
      position: index % 2 === 0 ? 'forward' : 'defender',
      points: index === edit % 24 ? edit : index * 3,
    })),
  };
}

async function measure({ format, deflate, delta }: Variant): Promise<number> {
  const hub = createHub({
    client: { insecure: true },
    websocket: { compression: true, compressionMinSize: 64 },
    channel: {
      withoutNamespace: {
        historySize: 10,
        historyTtlMs: 60_000,
        forceRecovery: true,
        allowedDeltaTypes: ['fossil'],
        deltaPublish: true,
      },
    },
  });
  const server = createServer();
  hub.attach(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new WebSocket(
    `ws://127.0.0.1:${port}/connection/websocket`,
    [`centrifuge-${format}`],
    { perMessageDeflate: deflate },
  );
  const codec = codecFor(format);
  let seen = 0;
  let waiting: { readonly offset: number; readonly done: () => void } | undefined;
  let subscribed = (): void => {};
  client.on('message', (data: Buffer) => {
    for (const reply of codec.decodeReplies(data)) {
      if (reply.subscribe !== undefined) subscribed();
      seen = reply.push?.pub?.offset ?? seen;
    }
    if (waiting !== undefined && seen >= waiting.offset) waiting.done();
  });
  const opened = once(client, 'open');
  const [response] = (await once(client, 'upgrade')) as [{ readonly socket: Socket }];
  await opened;
  const isSubscribed = new Promise<void>((resolve) => (subscribed = resolve));
  client.send(
    codec.joinMessages([
      codec.encodeCommand({ id: 1, connect: {} }),
      codec.encodeCommand({
        id: 2,
        subscribe: { channel: 'document', ...(delta ? { delta: 'fossil' } : {}) },
      }),
    ]),
    { binary: format === 'protobuf' },
  );
  await isSubscribed;
  const before = response.socket.bytesRead;
  for (let edit = 1; edit <= edits; edit += 1) {
    const arrived = new Promise<void>((done) => (waiting = { offset: edit, done }));
    await hub.publish('document', documentAfter(edit));
    await arrived;
  }
  const bytes = response.socket.bytesRead - before;
  client.terminate();
  await hub.shutdown({ timeoutMs: 1_000 });
  server.close();
  return bytes / edits;
}

const size = Buffer.byteLength(JSON.stringify(documentAfter(1)));
console.log(
  `${edits} edits of a document of ${size} bytes, bytes per edit at the client's socket\n`,
);
let baseline: number | undefined;
for (const variant of variants) {
  const bytes = await measure(variant);
  baseline ??= bytes;
  const share = `${((bytes / baseline) * 100).toFixed(1)} %`;
  console.log(`${variant.name.padEnd(24)}${bytes.toFixed(0).padStart(8)}${share.padStart(10)}`);
}
