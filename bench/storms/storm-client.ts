import { connect, type Socket } from 'node:net';
import { clientFrame, FrameReader } from '../subscribers/frame-reader.ts';
import { monotonicUs, type BenchMessage } from '../targets/bench-message.ts';
import type { ClientMemory, StormDialect } from './storm-dialect.ts';

/** One read at a time happens in a process, and its bytes are used up before the next. */
const sharedBuffer = Buffer.alloc(65_536);
const opcodes = { text: 0x1, close: 0x8, ping: 0x9, pong: 0xa } as const;

export interface StormClientSettings {
  readonly port: number;
  readonly localAddress: string;
  readonly dialect: StormDialect;
  readonly token: string;
  readonly onBack: () => void;
  readonly onMessage: (message: BenchMessage) => void;
}

/**
 * A client on a raw socket that behaves as the stock one does: it comes back by itself with backoff,
 * gives up attempts that take too long, and recovers where its protocol can.
 */
export class StormClient {
  readonly memory: ClientMemory = { epoch: '', offset: 0 };
  isBack = false;
  received = 0;
  lastNumber = 0;
  repeated = 0;
  unrecovered = 0;
  attempts = 0;
  failedAttempts = 0;
  readonly #settings: StormClientSettings;
  #socket: Socket | undefined;
  #frames = new FrameReader();
  #head: string | undefined;
  #retries = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(settings: StormClientSettings) {
    this.#settings = settings;
  }

  open(): void {
    const { port, localAddress, dialect } = this.#settings;
    this.attempts += 1;
    this.#head = '';
    this.#frames = new FrameReader();
    const socket = connect({
      host: '127.0.0.1',
      port,
      localAddress,
      onread: {
        buffer: sharedBuffer,
        callback: (length) => {
          if (socket === this.#socket) this.#read(length);
          return true;
        },
      },
    });
    this.#socket = socket;
    socket.on('error', () => this.#lost(socket));
    socket.on('close', () => this.#lost(socket));
    socket.write(
      `GET ${dialect.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: aG9sZGZhc3QgaXMga2VscA==\r\n\r\n',
    );
    this.#wait(dialect.attemptTimeoutMs, () => this.#lost(socket));
  }

  /** Cuts the connection as a network would, and stays away for this long. */
  drop(offlineMs: number): boolean {
    if (!this.isBack) return false;
    this.#forget();
    this.#wait(offlineMs, () => this.open());
    return true;
  }

  stop(): void {
    this.#isStopped = true;
    this.#forget();
  }

  #wait(ms: number, action: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, ms);
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.isBack = false;
    const socket = this.#socket;
    this.#socket = undefined;
    // A reset leaves no port waiting.
    socket?.resetAndDestroy();
  }

  #lost(socket: Socket): void {
    if (socket !== this.#socket || this.#isStopped) return;
    if (!this.isBack) this.failedAttempts += 1;
    this.#forget();
    this.#wait(this.#settings.dialect.backoffMs(this.#retries), () => this.open());
    this.#retries += 1;
  }

  #read(length: number): void {
    if (this.#head === undefined) {
      this.#frames.read(sharedBuffer, length, this.#onFrame);
      return;
    }
    this.#head += sharedBuffer.toString('latin1', 0, length);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const rest = Buffer.from(this.#head.slice(end + 4), 'latin1');
    const isOpen = this.#head.startsWith('HTTP/1.1 101 ');
    this.#head = undefined;
    if (!isOpen) {
      this.#fail();
      return;
    }
    const { dialect, token } = this.#settings;
    const opening = dialect.opening?.(this.memory, token);
    if (opening !== undefined) {
      this.#send(opcodes.text, Buffer.from(opening));
      const socket = this.#socket;
      this.#wait(dialect.attemptTimeoutMs, () => socket !== undefined && this.#lost(socket));
    }
    if (rest.length > 0) this.#frames.read(rest, rest.length, this.#onFrame);
  }

  readonly #onFrame = (opcode: number, payload: Buffer): void => {
    if (opcode === opcodes.text) this.#hear(payload.toString());
    else if (opcode === opcodes.ping) this.#send(opcodes.pong, payload);
    else if (opcode === opcodes.close) this.#fail();
  };

  #hear(text: string): void {
    const heard = this.#settings.dialect.hear(text, this.memory);
    if (heard.isRefused === true) {
      this.#fail();
      return;
    }
    if (heard.isUnrecovered === true) this.unrecovered += 1;
    for (const message of heard.messages) {
      if (message.number <= this.lastNumber) this.repeated += 1;
      else this.received += 1;
      this.lastNumber = Math.max(this.lastNumber, message.number);
      this.#settings.onMessage(message);
    }
    if (heard.reply !== undefined) this.#send(opcodes.text, Buffer.from(heard.reply));
    if (heard.isBack !== true || this.isBack) return;
    clearTimeout(this.#timer);
    this.isBack = true;
    this.#retries = 0;
    this.#settings.onBack();
  }

  #fail(): void {
    if (this.#socket !== undefined) this.#lost(this.#socket);
  }

  #send(opcode: number, payload: Buffer): void {
    this.#socket?.write(clientFrame(opcode, payload));
  }
}

/** Time since a message was published, in milliseconds. */
export function ageMs({ stampUs }: BenchMessage): number {
  return (monotonicUs() - stampUs) / 1_000;
}
