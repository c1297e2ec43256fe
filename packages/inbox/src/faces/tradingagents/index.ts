import { HttpRefusal } from '@holdfast/http';
import type { Dialect } from '@holdfast/hub';
import type { Inbox } from '../../inbox.ts';
import { type LegacyDialectOptions, legacySocket, legacyStream } from './dialect.ts';
import { createLegacyRest } from './rest.ts';

/** What the face of TradingAgents-CN's interface is made of. */
export interface TradingAgentsFaceOptions {
  readonly inbox: Inbox;
  /** The user whose token the request carries, or undefined. */
  readonly authenticateUser: (request: Request) => string | undefined | Promise<string | undefined>;
  /**
   * Asked about each request of a user, sockets and streams left out. One that throws an `HttpRefusal`
   * is answered with it. @defaultValue admits everybody
   */
  readonly admitUser?: (user: string) => void;
  /** Whether the request carries the API key. */
  readonly authenticateServer: (request: Request) => boolean | Promise<boolean>;
  /** `hub.speak`. */
  readonly speak: (path: string, dialect: Dialect) => ReadonlyMap<string, number>;
  /**
   * Sockets of one user at a time, and as many streams. The interface leaks one with each renewed
   * token, about one an hour and tab.
   * @defaultValue 50
   */
  readonly userConnectionLimit?: number;
  /** Unix milliseconds. @defaultValue Date.now */
  readonly now?: () => number;
  readonly onProblem?: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

/**
 * Lets the interface of TradingAgents-CN, unmodified, have its notifications from this inbox: the
 * socket `/api/ws/notifications` and the stream `/api/notifications/stream`, which the hub serves, and
 * the REST endpoints below `/api/notifications`, which the returned function answers. It answers
 * undefined for any other address.
 */
export function createTradingAgentsFace({
  inbox,
  authenticateUser,
  admitUser = () => {},
  authenticateServer,
  speak,
  userConnectionLimit = 50,
  now = Date.now,
  onProblem = () => {},
}: TradingAgentsFaceOptions): (request: Request) => Promise<Response | undefined> {
  const dialectOptions: LegacyDialectOptions = {
    async userOf(request, token) {
      const headers = new Headers();
      for (const [name, value] of Object.entries(request.headers)) {
        if (typeof value === 'string') headers.set(name, value);
      }
      if (token !== '') headers.set('authorization', `Bearer ${token}`);
      try {
        return await authenticateUser(new Request('http://localhost/', { headers }));
      } catch (error) {
        // Why a token is refused is the same to this interface: nobody has come.
        if (error instanceof HttpRefusal && error.status === 401) return undefined;
        throw error;
      }
    },
    channelOf: (user) => inbox.channelOf(user),
    userConnectionLimit,
    now,
  };
  const connections = [
    speak('/api/ws/notifications', legacySocket(dialectOptions)),
    speak('/api/notifications/stream', legacyStream(dialectOptions)),
  ];
  return createLegacyRest({
    inbox,
    authenticateUser,
    admitUser,
    authenticateServer,
    connections,
    now,
    onProblem,
  });
}
