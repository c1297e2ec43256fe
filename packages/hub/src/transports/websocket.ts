import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type Disconnect, disconnects, type Format } from '@holdfast/protocol';
import type { WebSocket } from 'ws';
import type { TransportInfo } from '../events.ts';
import { encoderFor, type MessageEncoder } from '../message-encoder.ts';
import type { Session } from '../session.ts';
import { neverDue, type Sleeper, type TimerWheel } from '../timer-wheel.ts';
import { connectOneWay } from './connect-one-way.ts';
import type { Transport } from './transport.ts';
import type { FrameMemo } from './websocket-frame.ts';

export interface WebSocketTransportOptions {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly request: IncomingMessage;
  readonly format: Format;
  readonly isUnidirectional: boolean;
  readonly frames: FrameMemo;
  readonly pingsNatively: boolean;
  readonly timers: TimerWheel;
  /** Messages from this size on are compressed, when the client agreed to that. */
  readonly compressionMinSize: number;
  readonly writeTimeoutMs: number;
  readonly monotonic: () => number;
}

/** The room that a close frame has for its reason (RFC 6455 §5.5). */
const maxReasonBytes = 123;

/** A WebSocket connection. Outgoing frames are prebuilt by us and written in one go. */
export class WebSocketTransport implements Transport, Sleeper {
  readonly info: TransportInfo;
  readonly encoder: MessageEncoder;
  readonly refusalDelayMs = 0;
  wakeTick: number = neverDue;
  readonly #options: WebSocketTransportOptions;
  #session: Session | undefined;
  #drainBy = Infinity;

  constructor(options: WebSocketTransportOptions) {
    const { request, socket, format, isUnidirectional } = options;
    this.#options = options;
    this.encoder = encoderFor(format, isUnidirectional);
    this.info = {
      name: isUnidirectional ? 'uni_websocket' : 'websocket',
      format,
      unidirectional: isUnidirectional,
      remoteAddress: socket.remoteAddress ?? '',
      headers: request.headers,
    };
  }

  get needsSessionId(): boolean {
    return this.#options.isUnidirectional;
  }

  get pingsNatively(): boolean {
    return this.#options.pingsNatively;
  }

  get bufferedBytes(): number {
    return this.#options.socket.writableLength;
  }

  /** Connects the two; from here on the session gets what the socket brings. */
  bind(session: Session): void {
    this.#session = session;
    const { webSocket, format, isUnidirectional } = this.#options;
    webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isUnidirectional) connectOneWay(session, data);
      else if (isBinary === (format === 'protobuf')) session.receive(data);
      else session.close(disconnects.inappropriateProtocol);
    });
    if (this.pingsNatively) webSocket.on('pong', () => session.ponged());
  }

  write(messages: readonly Uint8Array[]): boolean {
    const { webSocket, socket, frames, compressionMinSize } = this.#options;
    if (webSocket.readyState !== webSocket.OPEN) return true;
    let mayGoOn: boolean;
    if (webSocket.extensions === '') {
      mayGoOn = socket.write(frames.frame(messages));
    } else {
      const payload = this.encoder.codec.joinMessages(messages);
      const binary = this.info.format === 'protobuf';
      webSocket.send(payload, { binary, compress: payload.length >= compressionMinSize });
      mayGoOn = !socket.writableNeedDrain;
    }
    if (!mayGoOn) this.#waitForDrain();
    return mayGoOn;
  }

  #waitForDrain(): void {
    const { socket, timers, monotonic, writeTimeoutMs } = this.#options;
    this.#drainBy = monotonic() + writeTimeoutMs;
    timers.schedule(this, this.#drainBy);
    socket.once('drain', () => {
      this.#drainBy = Infinity;
      this.#session?.drained();
    });
  }

  /** The peer has not taken anything for the whole write timeout. */
  wake(now: number): number {
    if (now >= this.#drainBy) {
      this.#drainBy = Infinity;
      this.#session?.close(disconnects.writeError);
    }
    return this.#drainBy;
  }

  ping(): void {
    const { webSocket } = this.#options;
    if (webSocket.readyState === webSocket.OPEN) webSocket.ping();
  }

  setReading(isReading: boolean): void {
    if (isReading) this.#options.webSocket.resume();
    else this.#options.webSocket.pause();
  }

  close({ code, reason }: Disconnect): void {
    this.release();
    this.#options.webSocket.close(code, truncate(reason));
    // A peer that we stopped reading must be heard again, or its closing handshake never is.
    this.#options.webSocket.resume();
  }

  terminate(): void {
    this.release();
    this.#options.webSocket.terminate();
  }

  /** Leaves the timers. */
  release(): void {
    this.#options.timers.cancel(this);
    this.#drainBy = Infinity;
  }
}

function truncate(reason: string): string {
  if (Buffer.byteLength(reason) <= maxReasonBytes) return reason;
  let bytes = Buffer.from(reason).subarray(0, maxReasonBytes);
  // Never cut a character in two: step back over continuation bytes and the lead byte before them.
  while (bytes.length > 0 && !isCompleteUtf8(bytes)) bytes = bytes.subarray(0, -1);
  return bytes.toString();
}

function isCompleteUtf8(bytes: Buffer): boolean {
  return !bytes.toString().endsWith('\uFFFD');
}
