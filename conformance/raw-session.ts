import { once } from 'node:events';
import { type Command, jsonCodec, type Reply } from '@holdfast/protocol';
import { type ClientOptions, WebSocket } from 'ws';

/** A client without any cleverness: sends what a test says and keeps everything that comes back. */
export class RawSession implements AsyncDisposable {
  readonly replies: Reply[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #webSocket: WebSocket;
  #wake: (() => void) | undefined;

  private constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    webSocket.on('message', (data: Buffer) => {
      this.replies.push(...jsonCodec.decodeReplies(data));
      this.#wake?.();
    });
    webSocket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake?.();
    });
    webSocket.on('error', () => {
      // Reported as a close as well.
    });
  }

  static async open(url: string, options: ClientOptions = {}): Promise<RawSession> {
    const webSocket = new WebSocket(url, options);
    const session = new RawSession(webSocket);
    await once(webSocket, 'open');
    return session;
  }

  /** Opens a session and connects it. */
  static async connect(
    url: string,
    connect: Command['connect'] = {},
    options: ClientOptions = {},
  ): Promise<RawSession> {
    const session = await RawSession.open(url, options);
    await session.ask({ id: 1, connect });
    return session;
  }

  send(...commands: readonly Command[]): void {
    this.sendText(commands.map((command) => decode(jsonCodec.encodeCommand(command))).join('\n'));
  }

  sendText(text: string): void {
    this.#webSocket.send(text);
  }

  sendBinary(bytes: Uint8Array): void {
    this.#webSocket.send(bytes);
  }

  /** Stops taking anything from the socket, so that the kernel's buffers fill up. */
  stopReading(): void {
    this.#webSocket.pause();
  }

  /** Sends a command and waits for its reply. */
  async ask(command: Command): Promise<Reply> {
    this.send(command);
    return this.wait((reply) => reply.id === command.id);
  }

  /** The first reply that fits, now or within a minute. */
  async wait(fits: (reply: Reply) => boolean): Promise<Reply> {
    return this.#until(
      () => this.replies.find((reply) => fits(reply)),
      () => `no such reply came; there were ${JSON.stringify(this.replies)}`,
    );
  }

  async waitForClose(): Promise<{ readonly code: number; readonly reason: string }> {
    return this.#until(
      () => this.closed,
      () => 'the connection was not closed',
    );
  }

  async #until<Found>(look: () => Found | undefined, complain: () => string): Promise<Found> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(complain());
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#webSocket.terminate();
  }
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
