import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { type Disconnect, disconnectCodes } from '@holdfast/protocol';
import type { TransportInfo } from '../events.ts';
import type { MessageEncoder } from '../message-encoder.ts';
import type { HttpRefusal } from './http-refusal.ts';
import type { Transport } from './transport.ts';

export interface HeldConnectionOptions {
  readonly request: IncomingMessage;
  readonly name: 'uni_websocket' | 'uni_sse';
  /** Destroyed where there is nobody to answer. */
  readonly peer: Writable;
  readonly encoder: MessageEncoder;
  readonly channels: readonly string[];
  /** Answers that the client is let in; undefined when it has gone meanwhile. */
  readonly accept: () => Transport | HttpRefusal | undefined;
  /** Answers with an error. */
  readonly refuse: (refusal: HttpRefusal) => void;
}

/**
 * A connection whose request is answered only when its session is connected: by 101 or a stream with
 * the first message, or by an HTTP error where the session is closed before that.
 */
export class HeldConnection implements Transport {
  readonly info: TransportInfo;
  readonly encoder: MessageEncoder;
  readonly ownChannels: readonly string[];
  readonly needsSessionId = false;
  readonly pingsNatively: boolean;
  readonly refusalDelayMs = 0;
  readonly quietMs = 0;
  readonly #options: HeldConnectionOptions;
  #open: Transport | undefined;
  #isAnswered = false;

  constructor(options: HeldConnectionOptions) {
    const { request, name, encoder, channels } = options;
    this.#options = options;
    this.encoder = encoder;
    this.ownChannels = channels;
    this.pingsNatively = name === 'uni_websocket';
    this.info = {
      name,
      format: 'json',
      unidirectional: true,
      remoteAddress: request.socket.remoteAddress ?? '',
      headers: request.headers,
    };
  }

  get bufferedBytes(): number {
    return this.#open?.bufferedBytes ?? 0;
  }

  get silentMs(): number {
    return this.#open?.silentMs ?? 0;
  }

  write(messages: readonly Uint8Array[]): boolean {
    if (!this.#isAnswered) this.#answer();
    return this.#open?.write(messages) ?? true;
  }

  #answer(): void {
    this.#isAnswered = true;
    const { accept, refuse, peer } = this.#options;
    const outcome = accept();
    if (outcome === undefined) peer.destroy();
    else if ('status' in outcome) refuse(outcome);
    else this.#open = outcome;
  }

  /** The heartbeat goes with the ping: such clients see messages, not frames. */
  ping(): void {
    this.#open?.write([this.encoder.ping]);
    this.#open?.ping();
  }

  setReading(isReading: boolean): void {
    this.#open?.setReading(isReading);
  }

  close(disconnect: Disconnect): void {
    if (this.#open !== undefined) this.#open.close(disconnect);
    else if (!this.#isAnswered) {
      this.#isAnswered = true;
      this.#options.refuse(refusalFor(disconnect));
    }
  }

  terminate(): void {
    this.#isAnswered = true;
    if (this.#open === undefined) this.#options.peer.destroy();
    else this.#open.terminate();
  }
}

/** What a disconnect is before there is a connection. */
function refusalFor({ code, reason }: Disconnect): HttpRefusal {
  const { status, retryAfter } = statusFor(code);
  return {
    status,
    code: reason.replaceAll(/\W+/g, '_'),
    message: `the connection was refused: ${reason}`,
    ...(retryAfter === undefined ? {} : { headers: { 'Retry-After': retryAfter } }),
  };
}

function statusFor(code: number): { readonly status: number; readonly retryAfter?: string } {
  switch (code) {
    case disconnectCodes.invalidToken.code:
    case disconnectCodes.expired.code:
    case disconnectCodes.badRequest.code:
      return { status: 401 };
    case disconnectCodes.permissionDenied.code:
    case disconnectCodes.forceNoReconnect.code:
      return { status: 403 };
    case disconnectCodes.connectionLimit.code:
    case disconnectCodes.tooManyRequests.code:
      return { status: 429, retryAfter: '30' };
    default:
      return code < 3500 ? { status: 503, retryAfter: '1' } : { status: 403 };
  }
}
