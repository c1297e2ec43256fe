import { connect, type Socket } from 'node:net';
import { clientFrame, FrameReader } from './frame-reader.ts';
import type { SubscriberDialect, Tally } from './subscriber-dialect.ts';

/** One read at a time happens in a process, and its bytes are used up before the next. */
const sharedBuffer = Buffer.alloc(65_536);

/** Reused for every frame. */
const tally: Tally = { messages: 0, hasOther: false };

const opcodes = { text: 0x1, close: 0x8, ping: 0x9, pong: 0xa } as const;

export interface SubscriberSettings {
  readonly port: number;
  readonly localAddress: string;
  readonly dialect: SubscriberDialect;
  readonly token: string;
  /** Look into this one's messages: their order, and when they arrived. */
  readonly isSampled: boolean;
}

export interface SubscriberEvents {
  onSubscribed(): void;
  onMessages(subscriber: RawSubscriber, count: number): void;
  /** The JSON text of each message of a sampled subscriber, before it is counted. */
  onSample(subscriber: RawSubscriber, text: string): void;
  /** The connection is of no more use; called once. */
  onProblem(problem: string): void;
}

/**
 * A WebSocket client that is as cheap as Node allows: a TCP socket that reads into one shared
 * buffer, and a parser that looks at frame heads.
 */
export class RawSubscriber {
  /** Messages since the pool's last reset. */
  received = 0;
  /** Number of the newest sampled message. */
  lastNumber: number | undefined;
  readonly #settings: SubscriberSettings;
  readonly #events: SubscriberEvents;
  readonly #socket: Socket;
  readonly #frames = new FrameReader();
  #head: string | undefined = '';
  #isSubscribed = false;
  #isOver = false;

  constructor(settings: SubscriberSettings, events: SubscriberEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#socket = connect({
      host: '127.0.0.1',
      port: settings.port,
      localAddress: settings.localAddress,
      onread: {
        buffer: sharedBuffer,
        callback: (length) => {
          this.#read(length);
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => this.#end(error.message));
    this.#socket.on('close', () => this.#end('the server closed the connection'));
    this.#socket.write(
      `GET ${settings.dialect.path} HTTP/1.1\r\nHost: 127.0.0.1:${settings.port}\r\n` +
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: aG9sZGZhc3QgaXMga2VscA==\r\n\r\n',
    );
  }

  /** Ends at once and leaves no port waiting: a reset instead of a handshake. */
  destroy(): Promise<void> {
    this.#isOver = true;
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve();
      this.#socket.once('close', () => resolve());
      this.#socket.resetAndDestroy();
    });
  }

  #read(length: number): void {
    if (this.#isOver) return;
    try {
      if (this.#head === undefined) this.#frames.read(sharedBuffer, length, this.#onFrame);
      else this.#readHandshake(length);
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  #readHandshake(length: number): void {
    const head = (this.#head ?? '') + sharedBuffer.toString('latin1', 0, length);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) {
      this.#head = head;
      return;
    }
    this.#head = undefined;
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`the server answered ${head.trim()}`);
    const { dialect, token } = this.#settings;
    const opening = dialect.opening?.(token);
    if (opening !== undefined) this.#send(opcodes.text, Buffer.from(opening));
    if (dialect.isSubscribedByHandshake) this.#subscribed();
    const rest = Buffer.from(head.slice(end + 4), 'latin1');
    if (rest.length > 0) this.#frames.read(rest, rest.length, this.#onFrame);
  }

  readonly #onFrame = (opcode: number, payload: Buffer): void => {
    if (opcode === opcodes.text) this.#onText(payload);
    else if (opcode === opcodes.ping) this.#send(opcodes.pong, payload);
    else if (opcode === opcodes.close) {
      const code = payload.length >= 2 ? payload.readUInt16BE() : 1005;
      throw new Error(`the server closed with ${code} ${payload.toString('utf8', 2)}`);
    }
  };

  #onText(payload: Buffer): void {
    const { dialect, isSampled } = this.#settings;
    tally.messages = 0;
    tally.hasOther = false;
    dialect.tally(payload, tally);
    const { messages, hasOther } = tally;
    if (messages > 0) {
      if (isSampled) {
        for (const text of dialect.messagesIn(payload.toString())) {
          this.#events.onSample(this, text);
        }
      }
      this.received += messages;
      this.#events.onMessages(this, messages);
    }
    if (hasOther) this.#react(payload.toString());
  }

  #react(text: string): void {
    const { reply, isSubscribed, problem } = this.#settings.dialect.react(text);
    if (problem !== undefined) throw new Error(problem);
    if (reply !== undefined) this.#send(opcodes.text, Buffer.from(reply));
    if (isSubscribed === true) this.#subscribed();
  }

  #subscribed(): void {
    if (this.#isSubscribed) return;
    this.#isSubscribed = true;
    this.#events.onSubscribed();
  }

  #send(opcode: number, payload: Buffer): void {
    this.#socket.write(clientFrame(opcode, payload));
  }

  #end(problem: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#events.onProblem(problem);
  }
}
