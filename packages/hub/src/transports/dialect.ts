import type { IncomingMessage } from 'node:http';
import { type ConnectRequest, jsonCodec, type Push } from '@holdfast/protocol';
import type { Logger } from '../hub.ts';
import { encoderFor, type MessageEncoder, nextEncoderIndex } from '../message-encoder.ts';
import type { HttpRefusal } from './http-refusal.ts';

/**
 * How clients of another product, which only listen, are spoken to. Everything else about them is as
 * for any connection: limits, revocation, expiry, presence, metrics and shutdown.
 *
 * A client is accepted only once it is connected in every respect, so that whatever is wrong with it
 * is said in the answer to its request, never by closing what was accepted: clients that begin their
 * backoff anew with every accepted handshake would come back each second, for ever.
 */
export interface Dialect {
  /**
   * What it is spoken over. A message is one text of a WebSocket, or the lines of one server-sent
   * event, without the empty one that ends it.
   * @defaultValue 'websocket'
   */
  readonly medium?: 'websocket' | 'event_stream';
  /** Whose connection a request asks for, or why it is refused. */
  readonly connect: (request: IncomingMessage) => Promise<DialectClient | HttpRefusal>;
  /** The first message to a user who is let in. */
  readonly greeting: (user: string) => string;
  /**
   * A push as one message; undefined says nothing. Called once per push on this node, however many
   * clients get it. The last push of a stream says with `disconnect` why it ends; a WebSocket has a
   * close frame for that.
   */
  readonly encode: (push: Push) => string | undefined;
  /** Sent with every ping. Those of a WebSocket also end connections whose peer is gone. */
  readonly heartbeat: () => string;
  /** Connections of one user on this path; a further one is refused with 429. */
  readonly userConnectionLimit: number;
}

/** Who connects, as its request says; the token is verified as those of all connections. */
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

  /** {@link Dialect.connect}, whose failure is a refusal too. */
  async ask(request: IncomingMessage, logger: Logger): Promise<DialectClient | HttpRefusal> {
    try {
      return await this.dialect.connect(request);
    } catch (error) {
      logger.error({ err: error }, 'a handshake could not be understood');
      return {
        status: 503,
        code: 'unavailable',
        message: 'the server cannot decide on this connection now',
        headers: { 'Retry-After': '5' },
      };
    }
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
