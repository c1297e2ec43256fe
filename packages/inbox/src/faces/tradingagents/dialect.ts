import type { InboxEvent } from '@holdfast/protocol/inbox';
import type { IncomingMessage } from 'node:http';
import type { Dialect } from '@holdfast/hub';
import { type LegacyNotification, legacyTime, toLegacy } from './legacy-notification.ts';
import { RecentIds } from './recent-ids.ts';

export interface LegacyDialectOptions {
  /** The user of a request, whose token this is; undefined for nobody. */
  readonly userOf: (request: IncomingMessage, token: string) => Promise<string | undefined>;
  readonly channelOf: (user: string) => string;
  readonly userConnectionLimit: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Far more than the outbox can have under way, and so could repeat. */
const maxRecentIds = 20_000;

const decoder = new TextDecoder();

/** The messages of `/api/ws/notifications`: JSON texts `{ type, data }`. */
export function legacySocket(options: LegacyDialectOptions): Dialect {
  const message = (type: string, data: object): string => JSON.stringify({ type, data });
  const timestamp = (): string => legacyTime(options.now());
  return {
    ...listener(options, (notification) => message('notification', notification)),
    medium: 'websocket',
    greeting: (user) =>
      message('connected', { user_id: user, timestamp: timestamp(), message: 'connected' }),
    heartbeat: () => message('heartbeat', { timestamp: timestamp() }),
  };
}

/**
 * The events of `/api/notifications/stream`, which interfaces from before 24 October 2025 fall back
 * to. Unlike the original a new stream ends no other one: two pages of a user, each with an
 * `EventSource` that comes back by itself, would end each other's for ever.
 */
export function legacyStream(options: LegacyDialectOptions): Dialect {
  const event = (name: string, data: object): string =>
    `event: ${name}\ndata: ${JSON.stringify(data)}`;
  const { encode, ...rest } = listener(options, (notification) =>
    event('notification', notification),
  );
  return {
    ...rest,
    medium: 'event_stream',
    greeting: (user) => event('connected', { channel: `notifications:${user}` }),
    encode: (push) =>
      push.disconnect === undefined
        ? encode(push)
        : event('error', { error: push.disconnect.reason }),
    heartbeat: () => event('heartbeat', { ts: Math.floor(options.now() / 1_000) }),
  };
}

/**
 * What the two have in common. Their clients count everything that they get, so nothing is replayed,
 * and an id that the outbox repeats is said once.
 */
function listener(
  { userOf, channelOf, userConnectionLimit }: LegacyDialectOptions,
  say: (notification: LegacyNotification) => string,
): Pick<Dialect, 'connect' | 'encode' | 'userConnectionLimit'> {
  const recent = new RecentIds(maxRecentIds);
  return {
    userConnectionLimit,
    async connect(request) {
      const token = tokenOf(request);
      const user = await userOf(request, token);
      if (user === undefined || user === '') {
        return {
          status: 401,
          code: 'unauthorized',
          message: 'the token is missing, expired or wrong: connect with ?token=<connection token>',
        };
      }
      return {
        user,
        request: { name: 'tradingagents', ...(token === '' ? {} : { token }) },
        channels: [channelOf(user)],
      };
    },
    encode({ pub }) {
      if (pub?.data === undefined) return undefined;
      const event = JSON.parse(decoder.decode(pub.data)) as InboxEvent;
      if (event.type !== 'created' || !recent.add(event.notification.id)) return undefined;
      return say(toLegacy(event.notification));
    },
  };
}

/** In the query, where a browser has no other place for it, or in the header. */
function tokenOf({ url, headers }: IncomingMessage): string {
  const { searchParams } = new URL(url ?? '', 'http://localhost');
  const [, bearer = ''] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  return searchParams.get('token') || bearer;
}
