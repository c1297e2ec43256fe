import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { HandshakeAnswer } from './judge-handshake.ts';

/** A WebSocket that the doctor opened. */
export interface ProbeSocket {
  readonly webSocket: WebSocket;
  readonly answer: HandshakeAnswer;
  /** Messages of the server, pings (`{}`) excepted, in order; ends with the connection. */
  next(timeoutMs: number): Promise<ProbeMessage | undefined>;
  send(command: object): void;
  readonly pings: { count: number };
  readonly closed: Promise<SocketEnd>;
}

export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
  readonly atMs: number;
}

export interface ProbeMessage {
  readonly id?: number;
  readonly error?: { readonly code: number; readonly message: string };
  readonly connect?: { readonly ping?: number; readonly client?: string };
  readonly subscribe?: {
    readonly recoverable?: boolean;
    readonly epoch?: string;
    readonly offset?: number;
    readonly recovered?: boolean;
  };
}

export interface ProbeSocketOptions {
  readonly timeoutMs: number;
  readonly origin?: string;
  readonly compress?: boolean;
}

/**
 * Shakes hands.
 * @returns the answer alone when it was not 101.
 * @throws the error of the network
 */
export async function openProbeSocket(
  url: string,
  { timeoutMs, origin, compress = false }: ProbeSocketOptions,
): Promise<ProbeSocket | HandshakeAnswer> {
  const webSocket = new WebSocket(url, 'centrifuge-json', {
    handshakeTimeout: timeoutMs,
    perMessageDeflate: compress,
    maxPayload: 1_048_576,
    ...(origin !== undefined && { origin }),
  });
  const messages: ProbeMessage[] = [];
  const pings = { count: 0 };
  const state = { isClosed: false };
  let wake = (): void => {};
  const closed = new Promise<SocketEnd>((resolve) => {
    webSocket.on('close', (code, reason) => {
      state.isClosed = true;
      resolve({ code, reason: reason.toString(), atMs: performance.now() });
      wake();
    });
  });
  webSocket.on('message', (data: Buffer) => {
    for (const line of data.toString().split('\n')) {
      if (line.trim() === '') continue;
      if (line.trim() === '{}') {
        pings.count += 1;
        webSocket.send('{}');
        continue;
      }
      try {
        messages.push(JSON.parse(line) as ProbeMessage);
      } catch {
        // What is no JSON is no message of the server, and is missed where one is awaited.
      }
    }
    wake();
  });
  let upgraded: IncomingMessage | undefined;
  webSocket.on('upgrade', (response) => (upgraded = response));
  const refused = new Promise<HandshakeAnswer>((resolve) => {
    webSocket.on('unexpected-response', (_request, response) => {
      resolve(readAnswer(response, timeoutMs));
    });
  });
  const opened = once(webSocket, 'open').then(() => undefined);
  const answer = await Promise.race([opened, refused]);
  opened.catch(() => {});
  if (answer !== undefined) {
    // Complains that the handshake is not complete, which is known.
    webSocket.on('error', () => {});
    webSocket.terminate();
    return answer;
  }
  webSocket.on('error', () => {
    // The close event follows and says as much.
  });
  return {
    webSocket,
    answer: { status: 101, headers: headersOf(upgraded), body: '' },
    pings,
    closed,
    send: (command) => webSocket.send(JSON.stringify(command)),
    async next(waitMs) {
      const deadline = performance.now() + waitMs;
      while (messages.length === 0 && !state.isClosed && performance.now() < deadline) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.max(1, deadline - performance.now()));
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return messages.shift();
    },
  };
}

function headersOf(response: IncomingMessage | undefined): HandshakeAnswer['headers'] {
  return Object.fromEntries(
    Object.entries(response?.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
}

/** Most of a body that is read. */
const maxBodyBytes = 8_192;

async function readAnswer(response: IncomingMessage, timeoutMs: number): Promise<HandshakeAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => response.destroy(), timeoutMs);
  try {
    for await (const chunk of response) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size >= maxBodyBytes) break;
    }
  } catch {
    // What came before the response was cut is all there is.
  } finally {
    clearTimeout(timer);
  }
  return {
    status: response.statusCode ?? 0,
    headers: headersOf(response),
    body: Buffer.concat(chunks).toString().slice(0, maxBodyBytes),
  };
}
