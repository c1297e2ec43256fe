import type { IncomingMessage } from 'node:http';
import { type ConnectRequest, jsonCodec, type Push } from '@holdfast/protocol';
import { encoderFor, type MessageEncoder, nextEncoderIndex } from '../message-encoder.ts';
import type { HttpRefusal } from './http-refusal.ts';

/**
 * How clients of another product, which only listen, are spoken to over a WebSocket. Everything else
 * about them is as for any connection: limits, revocation, expiry, presence, metrics and shutdown.
 *
 * A client is accepted only once it is connected in every respect, so that whatever is wrong with it
 * is said in the answer to its handshake, never by closing what was accepted: clients that begin
 * their backoff anew with every accepted handshake would come back each second, for ever.
 */
export interface Dialect {
  /** Whose connection a handshake asks for, or why it is refused. */
  readonly connect: (request: IncomingMessage) => Promise<DialectClient | HttpRefusal>;
  /** The first message to a user who is let in. */
  readonly greeting: (user: string) => string;
  /**
   * A push as one text message; undefined says nothing. Called once per push on this node, however
   * many clients get it.
   */
  readonly encode: (push: Push) => string | undefined;
  /** Sent with every native ping, which also ends connections whose peer is gone. */
  readonly heartbeat: () => string;
  /** Connections of one user on this path; a further one is refused with 429. */
  readonly userConnectionLimit: number;
}

/** Who connects, as its handshake says; the token is verified as those of all connections. */
export interface DialectClient {
  readonly user: string;
  readonly request: ConnectRequest;
  /** Subscribed from the start, whatever the rules of their namespaces say. */
  readonly channels: readonly string[];
}

/** A message that sessions do not queue. */
const nothing = new Uint8Array(0);

/** A dialect that is being spoken, with those who listen. */
export class DialectRoom {
  readonly dialect: Dialect;
  readonly encoder: MessageEncoder;
  readonly #connections = new Map<string, number>();

  constructor(dialect: Dialect) {
    this.dialect = dialect;
    this.encoder = dialectEncoder(dialect);
  }

  /** Counts a connection in, unless the user has all that are allowed. */
  enter(user: string): HttpRefusal | undefined {
    const count = this.#connections.get(user) ?? 0;
    if (count >= this.dialect.userConnectionLimit) {
      return {
        status: 429,
        code: 'user_connection_limit',
        message: `this user has ${count} connections here, as many as are allowed`,
        headers: { 'Retry-After': '30' },
      };
    }
    this.#connections.set(user, count + 1);
    return undefined;
  }

  leave(user: string): void {
    const count = this.#connections.get(user) ?? 0;
    if (count > 1) this.#connections.set(user, count - 1);
    else this.#connections.delete(user);
  }

  /** One user's encoder. What it makes for all is cached for all: only the greeting is its own. */
  encoderFor(user: string): MessageEncoder {
    const { encoder, dialect } = this;
    const { codec } = encoder;
    return {
      ...encoder,
      codec: {
        ...codec,
        encodePush: (push) =>
          push.connect === undefined ? codec.encodePush(push) : Buffer.from(dialect.greeting(user)),
      },
      get ping() {
        return encoder.ping;
      },
    };
  }

  /** Connections by user. */
  get connections(): ReadonlyMap<string, number> {
    return this.#connections;
  }
}

/** Caches of encoded messages are kept by the index: one encoder per dialect. */
function dialectEncoder({ encode, heartbeat }: Dialect): MessageEncoder {
  return {
    ...encoderFor('json', true),
    index: nextEncoderIndex(),
    codec: {
      ...jsonCodec,
      encodePush(push) {
        const text = encode(push);
        return text === undefined ? nothing : Buffer.from(text);
      },
    },
    get ping() {
      return Buffer.from(heartbeat());
    },
  };
}
