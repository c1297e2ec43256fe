import { createServer } from 'node:http';
import { createHub, type Hub, type HubOptions } from '@holdfast/hub';
import { answerFile, listen, type ListeningServer, type PageFiles } from '../pages-server.ts';

export interface AppOptions {
  readonly hub?: HubOptions;
  readonly files?: PageFiles;
  /** @defaultValue any free one */
  readonly port?: number;
}

/** A hub that serves a page too, and whose network can be broken. */
export interface RunningApp extends ListeningServer, AsyncDisposable {
  readonly hub: Hub;
  /** Refuses WebSocket handshakes as a proxy does that does not know them, or takes them again. */
  blockWebSocket(isBlocked: boolean): void;
}

const recovering: HubOptions = {
  channel: {
    withoutNamespace: {
      historySize: 1_000,
      historyTtlMs: 60_000,
      forceRecovery: true,
      presence: true,
      joinLeave: true,
    },
  },
};

/** Starts a hub on 127.0.0.1, insecure and with recovery unless told otherwise. */
export async function startApp({
  hub: options,
  files = {},
  port = 0,
}: AppOptions = {}): Promise<RunningApp> {
  const hub = createHub({
    ...recovering,
    ...options,
    client: { insecure: true, allowedOrigins: ['*'], ...options?.client },
  });
  const server = createServer((request, response) => {
    if (hub.handleRequest(request, response)) return;
    const [path = ''] = (request.url ?? '').split('?');
    if (!answerFile(files, path, response)) response.writeHead(404).end();
  });
  let isBlocked = false;
  const gate = createServer();
  hub.attach(gate);
  server.on('upgrade', (request, socket, head) => {
    if (!isBlocked) gate.emit('upgrade', request, socket, head);
    else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  const listening = await listen(server, port);
  return {
    ...listening,
    hub,
    blockWebSocket: (blocked) => {
      isBlocked = blocked;
    },
    async [Symbol.asyncDispose]() {
      await listening.kill();
      await hub.shutdown({ timeoutMs: 0 });
    },
  };
}
