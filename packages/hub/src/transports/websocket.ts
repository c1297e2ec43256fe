import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type Disconnect, disconnects, type Format } from '@holdfast/protocol';
import type { WebSocket } from 'ws';
import type { Clock } from '../clock.ts';
import type { TransportInfo } from '../events.ts';
import { encoderFor, type MessageEncoder } from '../message-encoder.ts';
import type { WebSocketOptions } from '../transport-options.ts';
import type { Session } from '../session.ts';
import { neverDue, type Sleeper, tickMs, type TimerWheel } from '../timer-wheel.ts';
import { connectOneWay } from './connect-one-way.ts';
import type { Transport } from './transport.ts';
import type { FrameMemo } from './websocket-frame.ts';

export interface WebSocketTransportOptions {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly request: IncomingMessage;
  readonly format: Format;
  readonly isUnidirectional: boolean;
  /** Of a dialect, whose clients are not listened to. @defaultValue that of the format */
  readonly encoder?: MessageEncoder;
  readonly frames: FrameMemo;
  readonly pingsNatively: boolean;
  readonly quietMs: number;
  readonly timers: TimerWheel;
  readonly clock: Clock;
  readonly limits: Pick<WebSocketOptions, 'compressionMinSize' | 'writeTimeoutMs'>;
}

/** The room that a close frame has for its reason (RFC 6455 §5.5). */
const maxReasonBytes = 123;

/** A WebSocket connection. Outgoing frames are prebuilt by us and written in one go. */
export class WebSocketTransport implements Transport, Sleeper {
  readonly info: TransportInfo;
  readonly encoder: MessageEncoder;
  readonly refusalDelayMs = 0;
  readonly pingsNatively: boolean;
  readonly quietMs: number;
  wakeTick: number = neverDue;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  /** Asked once: `ws` makes a new string of its extensions each time. */
  readonly #mayCompress: boolean;
  readonly #isDeaf: boolean;
  readonly #frames: FrameMemo;
  readonly #timers: TimerWheel;
  readonly #clock: Clock;
  readonly #limits: WebSocketTransportOptions['limits'];
  #session: Session | undefined;
  #drainBy = Infinity;
  /** The tick at which bytes passed last. */
  #activeTick: number;

  // Idle connections are the many: nothing is kept of the request but its headers.
  constructor(options: WebSocketTransportOptions) {
    const { request, socket, format, isUnidirectional } = options;
    this.pingsNatively = options.pingsNatively;
    this.quietMs = options.quietMs;
    this.#webSocket = options.webSocket;
    this.#socket = socket;
    this.#mayCompress = options.webSocket.extensions !== '';
    this.#isDeaf = options.encoder !== undefined;
    this.#frames = options.frames;
    this.#timers = options.timers;
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#activeTick = options.timers.tick;
    this.encoder = options.encoder ?? encoderFor(format, isUnidirectional);
    this.info = {
      name: isUnidirectional ? 'uni_websocket' : 'websocket',
      format,
      unidirectional: isUnidirectional,
      remoteAddress: socket.remoteAddress ?? '',
      headers: request.headers,
    };
  }

  get needsSessionId(): boolean {
    return this.info.unidirectional;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  get silentMs(): number {
    return (this.#timers.tick - this.#activeTick) * tickMs;
  }

  /** Connects the two; from here on the session gets what the socket brings. */
  bind(session: Session): void {
    this.#session = session;
    const { format, unidirectional } = this.info;
    this.#webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      this.#activeTick = this.#timers.tick;
      if (this.#isDeaf) return;
      if (unidirectional) connectOneWay(session, data);
      else if (isBinary === (format === 'protobuf')) session.receive(data);
      else session.close(disconnects.inappropriateProtocol);
    });
    if (!this.pingsNatively) return;
    this.#webSocket.on('pong', () => {
      this.#activeTick = this.#timers.tick;
      session.ponged();
    });
  }

  write(messages: readonly Uint8Array[]): boolean {
    const webSocket = this.#webSocket;
    if (webSocket.readyState !== webSocket.OPEN) return true;
    this.#activeTick = this.#timers.tick;
    let mayGoOn: boolean;
    if (!this.#mayCompress) {
      mayGoOn = this.#socket.write(this.#frames.frame(messages));
    } else {
      const { codec } = this.encoder;
      // Clients of one-way transports take messages singly.
      const payloads = this.info.unidirectional ? messages : [codec.joinMessages(messages)];
      const binary = this.info.format === 'protobuf';
      for (const payload of payloads) {
        const compress = payload.length >= this.#limits.compressionMinSize;
        webSocket.send(payload, { binary, compress });
      }
      mayGoOn = !this.#socket.writableNeedDrain;
    }
    if (!mayGoOn) this.#waitForDrain();
    return mayGoOn;
  }

  #waitForDrain(): void {
    this.#drainBy = this.#clock.monotonic() + this.#limits.writeTimeoutMs;
    this.#timers.schedule(this, this.#drainBy);
    this.#socket.once('drain', () => {
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
    const webSocket = this.#webSocket;
    if (webSocket.readyState !== webSocket.OPEN) return;
    this.#activeTick = this.#timers.tick;
    webSocket.ping();
  }

  setReading(isReading: boolean): void {
    if (isReading) this.#webSocket.resume();
    else this.#webSocket.pause();
  }

  close({ code, reason }: Disconnect): void {
    this.release();
    this.#webSocket.close(code, truncate(reason));
    // A peer that we stopped reading must be heard again, or its closing handshake never is.
    this.#webSocket.resume();
  }

  terminate(): void {
    this.release();
    this.#webSocket.terminate();
  }

  /** Leaves the timers. */
  release(): void {
    this.#timers.cancel(this);
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
