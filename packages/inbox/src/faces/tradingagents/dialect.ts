import type { IncomingMessage } from 'node:http';
import type { Dialect } from '@holdfast/hub';
import type { InboxEvent } from '../../events.ts';
import { legacyTime, toLegacy } from './legacy-notification.ts';
import { RecentIds } from './recent-ids.ts';

export interface LegacyDialectOptions {
  /** The user of a handshake, whose token is in its query; undefined for nobody. */
  readonly userOf: (request: IncomingMessage, token: string) => Promise<string | undefined>;
  readonly channelOf: (user: string) => string;
  readonly userConnectionLimit: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Far more than the outbox can have under way, and so could repeat. */
const maxRecentIds = 20_000;

const decoder = new TextDecoder();

/**
 * The messages of `/api/ws/notifications`: JSON texts `{ type, data }`. Its clients count everything
 * that they get, so nothing is replayed, and an id that the outbox repeats is said once.
 */
export function legacyDialect(options: LegacyDialectOptions): Dialect {
  const recent = new RecentIds(maxRecentIds);
  const message = (type: string, data: object): string => JSON.stringify({ type, data });
  return {
    userConnectionLimit: options.userConnectionLimit,
    async connect(request) {
      const { searchParams } = new URL(request.url ?? '', 'http://localhost');
      const token = searchParams.get('token') ?? '';
      const user = await options.userOf(request, token);
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
        channels: [options.channelOf(user)],
      };
    },
    greeting: (user) =>
      message('connected', {
        user_id: user,
        timestamp: legacyTime(options.now()),
        message: 'connected',
      }),
    encode({ pub }) {
      if (pub?.data === undefined) return undefined;
      const event = JSON.parse(decoder.decode(pub.data)) as InboxEvent;
      if (event.type !== 'created' || !recent.add(event.notification.id)) return undefined;
      return message('notification', toLegacy(event.notification));
    },
    heartbeat: () => message('heartbeat', { timestamp: legacyTime(options.now()) }),
  };
}
