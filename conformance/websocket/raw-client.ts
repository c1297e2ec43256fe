import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { closePayload, decodeServerFrame, encodeFrame, opcodes, type Frame } from './frame.ts';

/** Longest wait for anything that has to come; a server that stays silent fails the test. */
const deadlineMs = 60_000;

export interface HandshakeRequest {
  readonly method?: string;
  readonly target?: string;
  readonly httpVersion?: string;
  /** Replace, add, or with `undefined` leave out headers of a proper request. An array repeats one. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Sent in the same write as the request. */
  readonly head?: Uint8Array;
}

export interface HandshakeResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  /** What came after the head until the server ended; only waited for when the answer is no 101. */
  readonly body: string;
}

/** A proper key: 16 random bytes in base64 (RFC 6455 §4.1). */
export function makeKey(): string {
  return randomBytes(16).toString('base64');
}

/** What the server has to answer to a key (RFC 6455 §4.2.2). */
export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** The bytes of an opening handshake. */
export function encodeRequest(port: number, request: HandshakeRequest = {}): Buffer {
  const headers = {
    Host: `127.0.0.1:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': makeKey(),
    ...request.headers,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`),
  );
  const { method = 'GET', target = '/connection/websocket', httpVersion = '1.1' } = request;
  return Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/${httpVersion}\r\n${lines.join('')}\r\n`, 'latin1'),
    request.head ?? Buffer.alloc(0),
  ]);
}

/**
 * A WebSocket client that sends exactly the bytes it is given. It records every frame from before
 * the handshake is answered, checks each against what a server may send, and never answers by itself.
 */
export class RawClient implements Disposable {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #isOpen = false;
  #mayCompress = false;
  #frames: Frame[] = [];
  #hasEnded = false;
  #problem: Error | undefined;
  #changed: () => void = () => {};

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
    this.#socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      if (this.#isOpen) this.#decode();
      this.#changed();
    });
    this.#socket.on('end', () => this.#end());
    this.#socket.on('error', () => this.#end());
    this.#socket.on('close', () => this.#end());
  }

  /** Opens a WebSocket. @throws Error when the server does not answer 101. */
  static async open(port: number, request: HandshakeRequest = {}): Promise<RawClient> {
    const client = new RawClient(port);
    const response = await client.handshake(encodeRequest(port, request));
    if (response.status !== 101) {
      client[Symbol.dispose]();
      throw new Error(`the server answered ${response.status} ${response.body}`);
    }
    return client;
  }

  /** Sends a request and reads the answer; on 101 frames are decoded from now on. */
  async handshake(request: Uint8Array): Promise<HandshakeResponse> {
    this.send(request);
    await this.#until(() => this.#bytes.includes('\r\n\r\n'), 'an answer to the handshake');
    const end = this.#bytes.indexOf('\r\n\r\n');
    const [statusLine = '', ...lines] = this.#bytes.toString('latin1', 0, end).split('\r\n');
    const status = Number(statusLine.split(' ')[1]);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    this.#bytes = this.#bytes.subarray(end + 4);
    if (status === 101) {
      this.#isOpen = true;
      this.#mayCompress = headers.has('sec-websocket-extensions');
      this.#decode();
      return { status, headers, body: '' };
    }
    await this.#until(() => this.#hasEnded, `the end of the connection after a ${status}`);
    return { status, headers, body: this.#bytes.toString() };
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends `bytes` in pieces that the server reads one by one, or nearly so. */
  async sendInSteps(bytes: Uint8Array, stepBytes: number): Promise<void> {
    for (let at = 0; at < bytes.length; at += stepBytes) {
      this.#socket.write(bytes.subarray(at, at + stepBytes));
      await turn();
    }
  }

  /** Ends the client's half of the TCP connection; the server's half stays. */
  sendEnd(): void {
    this.#socket.end();
  }

  /** Stops reading, so that what the server sends piles up. */
  pause(): void {
    this.#socket.pause();
  }

  /** The next frame. Rejects when the server ends first, breaks the protocol, or stays silent. */
  async nextFrame(): Promise<Frame> {
    await this.#until(() => this.#frames.length > 0 || this.#hasEnded, 'a frame');
    const frame = this.#frames.shift();
    if (frame === undefined) throw new Error('the server ended the connection without a frame');
    return frame;
  }

  /** Resolves with all frames not read yet when the server has ended its half. */
  async untilEnd(withinMs = deadlineMs): Promise<readonly Frame[]> {
    await this.#until(() => this.#hasEnded, 'the end of the connection', withinMs);
    if (this.#bytes.length > 0) throw new Error('the server ended inside a frame');
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  /** Says goodbye properly. */
  async close(): Promise<void> {
    this.send(encodeFrame({ opcode: opcodes.close, payload: closePayload(1000) }));
    await this.untilEnd();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #decode(): void {
    if (this.#problem !== undefined) return;
    try {
      for (;;) {
        const decoded = decodeServerFrame(this.#bytes, this.#mayCompress);
        if (decoded === undefined) return;
        this.#bytes = this.#bytes.subarray(decoded.size);
        this.#frames.push(decoded.frame);
      }
    } catch (error) {
      this.#problem = new Error('the server broke RFC 6455', { cause: error });
    }
  }

  #end(): void {
    this.#hasEnded = true;
    this.#changed();
  }

  async #until(isThere: () => boolean, what: string, withinMs = deadlineMs): Promise<void> {
    const signal = AbortSignal.timeout(withinMs);
    while (!isThere()) {
      if (this.#problem !== undefined) throw this.#problem;
      if (this.#hasEnded) throw new Error(`the server ended the connection before ${what}`);
      if (signal.aborted) throw new Error(`waited ${withinMs} ms for ${what}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    if (this.#problem !== undefined) throw this.#problem;
  }
}
