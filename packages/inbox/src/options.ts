import type { Store } from '@holdfast/store';
import type { EscalationTarget } from './escalation-target.ts';
import type { EscalationTable } from './inbox-module.ts';
import { personalChannels } from './personal-channels.ts';

/** Where notifications of a category go, unless a user wants it otherwise. */
export interface CategoryOptions {
  /** @defaultValue true */
  readonly inApp?: boolean;
  /** @defaultValue false */
  readonly webhook?: boolean;
  /** @defaultValue false */
  readonly email?: boolean;
  /**
   * How long a notification may stay unread and unacknowledged before it goes to the webhook and the
   * e-mail address that are wanted. 0 sends it there at once, whether a device has it or not.
   * @defaultValue 300000
   */
  readonly escalateAfterMs?: number;
}

/** The place of a channel's stream that continues a snapshot. */
export interface ChannelPosition {
  readonly offset: number;
  readonly epoch: string;
}

/** What an inbox is made of. `store` and `position` are needed. */
export interface InboxOptions {
  /** Opened with `inboxModule`, its outbox started. */
  readonly store: Pick<Store, 'withTables'>;
  /** Where a channel stands now: `history(channel, { limit: 0 })` of the hub. */
  readonly position: (channel: string) => Promise<ChannelPosition>;
  /**
   * Channel that carries a user's events.
   * @defaultValue `inbox:#<user>` as {@link personalChannels} names it; a private channel for users whose
   * ids cannot stand there, which a handler of the hub's `subscribing` must let them into
   */
  readonly channelOf?: (user: string) => string;
  /** By category; `*` for all that are not named. */
  readonly categories?: Readonly<Record<string, CategoryOptions>>;
  readonly retention?: {
    /** @defaultValue 7776000000 (90 days) */
    readonly maxAgeMs?: number;
    /** Enforced whenever 16 changes were made, so a few more are there at times. @defaultValue 1000 */
    readonly maxPerUser?: number;
    /** Never remove what is unread by age, and by number only after all that is read. @defaultValue false */
    readonly keepUnread?: boolean;
    /** How long finished sends, and with them idempotency keys, are remembered. @defaultValue 604800000 (7 days) */
    readonly sendsMs?: number;
  };
  readonly redelivery?: {
    /** A device that connects is given what it has not acknowledged and is younger than this. @defaultValue 604800000 (7 days) */
    readonly maxAgeMs?: number;
    /** The newest ones, at most. @defaultValue 100 */
    readonly limit?: number;
  };
  readonly escalation?: {
    readonly webhook?: EscalationTarget;
    readonly email?: EscalationTarget;
    /** @defaultValue 8 */
    readonly maxAttempts?: number;
    /** Before the first repetition; doubled each time. @defaultValue 10000 */
    readonly minBackoffMs?: number;
    /** @defaultValue 3600000 */
    readonly maxBackoffMs?: number;
    /** How long a target may take. @defaultValue 15000 */
    readonly timeoutMs?: number;
  };
  /** In [0, 1), for backoff. @defaultValue `Math.random` */
  readonly random?: () => number;
  /** Told of trouble in background work, which goes on trying. */
  readonly onProblem?: (problem: { readonly message: string; readonly cause: unknown }) => void;
}

/** {@link InboxOptions} with their defaults, as far as several parts need them. */
export interface InboxSettings {
  readonly channelOf: (user: string) => string;
  readonly categories: Readonly<Record<string, CategoryOptions>>;
  readonly retention: Required<NonNullable<InboxOptions['retention']>>;
  readonly redelivery: Required<NonNullable<InboxOptions['redelivery']>>;
  /** Where unseen notifications can go to. */
  readonly targets: readonly EscalationTable['target'][];
}

/** Fills in the defaults. */
export function settingsOf(options: InboxOptions): InboxSettings {
  return {
    channelOf: options.channelOf ?? personalChannels('inbox'),
    categories: options.categories ?? {},
    retention: {
      maxAgeMs: 90 * 86_400_000,
      maxPerUser: 1000,
      keepUnread: false,
      sendsMs: 7 * 86_400_000,
      ...options.retention,
    },
    redelivery: { maxAgeMs: 7 * 86_400_000, limit: 100, ...options.redelivery },
    targets: (['webhook', 'email'] as const).filter(
      (name) => options.escalation?.[name] !== undefined,
    ),
  };
}
