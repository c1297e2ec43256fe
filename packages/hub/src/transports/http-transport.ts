import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Disconnect, type Format, disconnects } from '@holdfast/protocol';
import type { TransportInfo } from '../events.ts';
import { encodePush, encoderFor, type MessageEncoder } from '../message-encoder.ts';
import type { Session } from '../session.ts';
import { neverDue, type Sleeper, tickMs, type TimerWheel } from '../timer-wheel.ts';
import { quietMsOf } from './quiet.ts';
import { requestTarget } from './request-target.ts';
import type { Transport } from './transport.ts';

/** How the messages of a batch become bytes of a response body. */
export type BodyFraming = (messages: readonly Uint8Array[], session: Session) => Uint8Array;

export interface HttpTransportOptions {
  readonly name: TransportInfo['name'];
  readonly format: Format;
  readonly isUnidirectional: boolean;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly frame: BodyFraming;
  /** Of a dialect. @defaultValue that of the format */
  readonly encoder?: MessageEncoder;
  readonly timers: TimerWheel;
  readonly monotonic: () => number;
  readonly writeTimeoutMs: number;
}

/** Time that the last bytes of an ended response get to leave. */
const endTimeoutMs = 5_000;

/**
 * A connection that is one long HTTP response. What the client has to say comes in other requests
 * (emulation), or never (unidirectional).
 */
export class HttpTransport implements Transport, Sleeper {
  readonly info: TransportInfo;
  readonly encoder: MessageEncoder;
  readonly needsSessionId = true;
  readonly pingsNatively = false;
  readonly refusalDelayMs = 1_000;
  readonly quietMs: number;
  wakeTick: number = neverDue;
  readonly #options: HttpTransportOptions;
  #session: Session | undefined;
  #drainBy = Infinity;
  #isEnding = false;
  /** The tick at which bytes passed last. */
  #activeTick: number;

  constructor(options: HttpTransportOptions) {
    const { name, format, isUnidirectional, request } = options;
    this.#options = options;
    this.quietMs = quietMsOf(new URLSearchParams(requestTarget(request.url).query));
    this.#activeTick = options.timers.tick;
    this.encoder = options.encoder ?? encoderFor(format, isUnidirectional);
    this.info = {
      name,
      format,
      unidirectional: isUnidirectional,
      remoteAddress: request.socket.remoteAddress ?? '',
      headers: request.headers,
    };
  }

  get bufferedBytes(): number {
    return this.#options.response.writableLength;
  }

  get silentMs(): number {
    return (this.#options.timers.tick - this.#activeTick) * tickMs;
  }

  bind(session: Session): void {
    this.#session = session;
  }

  write(messages: readonly Uint8Array[]): boolean {
    const session = this.#session;
    if (this.#isEnding || session === undefined) return true;
    this.#activeTick = this.#options.timers.tick;
    const mayGoOn = this.#options.response.write(this.#options.frame(messages, session));
    if (!mayGoOn) this.#waitForDrain();
    return mayGoOn;
  }

  #waitForDrain(): void {
    const { response, timers, monotonic, writeTimeoutMs } = this.#options;
    this.#drainBy = monotonic() + writeTimeoutMs;
    timers.schedule(this, this.#drainBy);
    response.once('drain', () => {
      this.#drainBy = Infinity;
      this.#session?.drained();
    });
  }

  /** The peer has not taken anything for the whole write timeout, or not the end of the response. */
  wake(now: number): number {
    if (now < this.#drainBy) return this.#drainBy;
    this.#drainBy = Infinity;
    if (this.#isEnding) this.terminate();
    else this.#session?.close(disconnects.writeError);
    return Infinity;
  }

  /** Never called: {@link pingsNatively} is false. */
  ping(): void {}

  /** Requests are separate here; each is bounded by itself. */
  setReading(): void {}

  close({ code, reason }: Disconnect): void {
    if (this.#isEnding) return;
    const { response, timers, monotonic } = this.#options;
    const farewell = encodePush(this.encoder, { disconnect: { code, reason } });
    this.write([farewell]);
    this.#isEnding = true;
    response.end();
    this.#drainBy = monotonic() + endTimeoutMs;
    timers.schedule(this, this.#drainBy);
  }

  terminate(): void {
    this.#isEnding = true;
    this.release();
    this.#options.response.destroy();
  }

  /** Leaves the timers. */
  release(): void {
    this.#options.timers.cancel(this);
    this.#drainBy = Infinity;
  }
}
