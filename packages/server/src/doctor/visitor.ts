import type { DoctorTarget } from './doctor-target.ts';
import type { HandshakeAnswer } from './judge-handshake.ts';
import {
  openProbeSocket,
  type ProbeMessage,
  type ProbeSocket,
  type ProbeSocketOptions,
} from './probe-socket.ts';

export interface VisitorOptions {
  readonly token?: string;
  /** For each wait. */
  readonly timeoutMs: number;
}

/** Opens connections as clients do, and sees to it that none is left over. */
export class Visitor {
  readonly target: DoctorTarget;
  readonly timeoutMs: number;
  readonly #token: string | undefined;
  readonly #sockets = new Set<ProbeSocket>();

  constructor(target: DoctorTarget, { token, timeoutMs }: VisitorOptions) {
    this.target = target;
    this.timeoutMs = timeoutMs;
    this.#token = token;
  }

  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  /** @throws the error of the network */
  async open(
    how: Omit<ProbeSocketOptions, 'timeoutMs'> & { readonly quietSeconds?: number } = {},
  ): Promise<ProbeSocket | HandshakeAnswer> {
    const { quietSeconds, ...options } = how;
    const url = this.target.websocket + quietQuery(quietSeconds);
    const opened = await openProbeSocket(url, { timeoutMs: this.timeoutMs, ...options });
    if ('webSocket' in opened) {
      this.#sockets.add(opened);
      void opened.closed.then(() => this.#sockets.delete(opened));
    }
    return opened;
  }

  /** Sends a command, and waits for its reply; undefined when none came. */
  ask(
    socket: ProbeSocket,
    command: { readonly id: number; readonly [name: string]: unknown },
    waitMs: number = this.timeoutMs,
  ): Promise<ProbeMessage | undefined> {
    socket.send(command);
    return replyOf(socket, command.id, waitMs);
  }

  /** The connect command of this visitor. */
  connect(socket: ProbeSocket): Promise<ProbeMessage | undefined> {
    return this.ask(socket, { id: 1, connect: this.credentials });
  }

  get credentials(): object {
    return {
      name: 'holdfast-doctor',
      ...(this.#token !== undefined && { token: this.#token }),
    };
  }

  /** A connection that the server let in; undefined when it did not. */
  async openConnected(
    how: { readonly quietSeconds?: number; readonly compress?: boolean } = {},
  ): Promise<(ProbeSocket & { readonly reply: ProbeMessage }) | undefined> {
    const opened = await this.open(how);
    if (!('webSocket' in opened)) return undefined;
    const reply = await this.connect(opened);
    return reply?.connect === undefined ? undefined : { ...opened, reply };
  }

  leave(): void {
    for (const { webSocket } of this.#sockets) webSocket.terminate();
  }
}

/** Asks the server for a connection without pings. Others take no notice of it. */
export function quietQuery(seconds: number | undefined): string {
  return seconds === undefined ? '' : `?holdfast_quiet=${seconds}`;
}

async function replyOf(
  socket: ProbeSocket,
  id: number,
  waitMs: number,
): Promise<ProbeMessage | undefined> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const message = await socket.next(deadline - performance.now());
    if (message === undefined || message.id === id) return message;
  }
}
