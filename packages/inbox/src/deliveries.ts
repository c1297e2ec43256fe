import type { Notification, UnreadCounts } from '@holdfast/protocol/inbox';
import { inList, type Store } from '@holdfast/store';
import { sql, type SqlBool } from 'kysely';
import { InboxError } from './errors.ts';
import { checkIds } from './changes.ts';
import type { EscalationTable, InboxTables } from './inbox-module.ts';
import { isVisible, toNotification, type InboxTransaction, type Mailboxes } from './mailbox.ts';
import { checkId } from './notification.ts';
import type { InboxSettings } from './options.ts';

/** What a device is given when it connects. */
export interface Redelivery {
  /** Unread and not acknowledged by this device, oldest first. */
  readonly notifications: readonly Notification[];
  readonly unread: UnreadCounts;
}

/** Where a notification is. */
export interface DeliveryState {
  readonly notificationId: string;
  readonly user: string;
  readonly storedAt: number;
  readonly readAt: number | null;
  /** First acknowledgement by any device. */
  readonly acknowledgedAt: number | null;
  /** Devices that were given it when they connected, or that acknowledged it. */
  readonly devices: readonly {
    readonly device: string;
    readonly pushedAt: number;
    readonly acknowledgedAt: number | null;
  }[];
  readonly escalations: readonly {
    readonly target: EscalationTable['target'];
    readonly state: EscalationTable['state'];
    readonly attempts: number;
    readonly nextAttemptAt: number | null;
    readonly lastError: string | null;
  }[];
}

/** Devices of which is remembered what they have of one notification. */
const maxDevices = 100;

/** Which device has what. */
export class Deliveries {
  readonly #store: Store<InboxTables>;
  readonly #settings: InboxSettings;
  readonly #mailboxes: Mailboxes;

  constructor(store: Store<InboxTables>, settings: InboxSettings, mailboxes: Mailboxes) {
    this.#store = store;
    this.#settings = settings;
    this.#mailboxes = mailboxes;
  }

  /** Gives a device what it missed: pushed again until it acknowledges. */
  async connect(user: string, device: string): Promise<Redelivery> {
    checkId('user', user);
    checkId('device', device);
    const { maxAgeMs, limit } = this.#settings.redelivery;
    return this.#store.transaction(async (trx) => {
      const now = this.#store.clock.now();
      let query = trx
        .selectFrom('inbox_notifications')
        .selectAll()
        .where('user_id', '=', user)
        .where('read_at', 'is', null)
        .where('archived_at', 'is', null)
        .where('created_at', '>', now - maxAgeMs)
        .where(isVisible(now))
        .where((where) =>
          where.not(
            where.exists(
              where
                .selectFrom('inbox_deliveries')
                .select('device')
                .whereRef('notification_id', '=', 'inbox_notifications.id')
                .where('device', '=', device)
                .where('acknowledged_at', 'is not', null),
            ),
          ),
        )
        .orderBy('id', 'desc')
        .limit(limit);
      // None of them may be gone when their deliveries are stored, which refer to them.
      if (this.#store.dialect === 'postgres') query = query.forKeyShare();
      const rows = await query.execute();
      const ids = rows.map(({ id }) => id);
      await this.#remember(trx, ids, { device, now, isAcknowledged: false });
      const unread = await this.#mailboxes.unreadOf(trx, user, now);
      return { notifications: rows.toReversed().map(toNotification), unread };
    });
  }

  /** A device has shown these to its user, or at least has them safely. Idempotent. */
  async acknowledge(
    user: string,
    device: string,
    ids: readonly string[],
  ): Promise<{ readonly acknowledged: readonly string[]; readonly notFound: readonly string[] }> {
    checkId('user', user);
    checkId('device', device);
    const wanted = checkIds(ids);
    return this.#store.transaction(async (trx) => {
      const now = this.#store.clock.now();
      const updated = await trx
        .updateTable('inbox_notifications')
        .set({
          acknowledged_at: sql`coalesce(acknowledged_at, ${now})`,
          // What goes elsewhere at once goes there whether a device has it or not.
          escalate_at: sql`case when escalate_at <= created_at then escalate_at end`,
        })
        .where('user_id', '=', user)
        .where(sql<SqlBool>`id ${inList(this.#store.dialect, wanted)}`)
        .returning('id')
        .execute();
      const acknowledged = updated.map((row) => row.id);
      await this.#remember(trx, acknowledged, { device, now, isAcknowledged: true });
      const found = new Set(acknowledged);
      return { acknowledged, notFound: wanted.filter((id) => !found.has(id)) };
    });
  }

  /** What was known before stays, but for the last push and the first acknowledgement. */
  async #remember(
    trx: InboxTransaction,
    ids: readonly string[],
    delivery: { readonly device: string; readonly now: number; readonly isAcknowledged: boolean },
  ): Promise<void> {
    if (ids.length === 0) return;
    const { device, now, isAcknowledged } = delivery;
    await this.#forgetDevices(trx, ids, device);
    await trx
      .insertInto('inbox_deliveries')
      .values(
        ids.map((id) => ({
          notification_id: id,
          device,
          pushed_at: now,
          acknowledged_at: isAcknowledged ? now : null,
        })),
      )
      .onConflict((conflict) =>
        conflict
          .columns(['notification_id', 'device'])
          .doUpdateSet(
            isAcknowledged
              ? { acknowledged_at: sql`coalesce(inbox_deliveries.acknowledged_at, ${now})` }
              : { pushed_at: now },
          ),
      )
      .execute();
  }

  /**
   * Makes room for a device where as many as can be are remembered: whoever has a token can name new
   * ones for ever, as browsers do that forget their storage. Those go that connected longest ago.
   */
  async #forgetDevices(
    trx: InboxTransaction,
    ids: readonly string[],
    device: string,
  ): Promise<void> {
    await sql`
      delete from inbox_deliveries where (notification_id, device) in (
        select notification_id, device from (
          select notification_id, device,
            row_number() over (partition by notification_id order by pushed_at desc, device) as place
          from inbox_deliveries
          where notification_id ${inList(this.#store.dialect, ids)} and device <> ${device}
        ) as placed
        where place >= ${maxDevices}
      )`.execute(trx);
  }

  /** @throws {@link InboxError} `inbox_not_found` */
  async state(id: string): Promise<DeliveryState> {
    return this.#store.read(async (db) => {
      const row = await db
        .selectFrom('inbox_notifications')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      if (row === undefined) {
        throw new InboxError('inbox_not_found', `there is no notification ${id}`);
      }
      const devices = await db
        .selectFrom('inbox_deliveries')
        .selectAll()
        .where('notification_id', '=', id)
        .orderBy('device')
        .execute();
      const escalations = await db
        .selectFrom('inbox_escalations')
        .selectAll()
        .where('notification_id', '=', id)
        .orderBy('target')
        .execute();
      return {
        notificationId: id,
        user: row.user_id,
        storedAt: row.created_at,
        readAt: row.read_at,
        acknowledgedAt: row.acknowledged_at,
        devices: devices.map((one) => ({
          device: one.device,
          pushedAt: one.pushed_at,
          acknowledgedAt: one.acknowledged_at,
        })),
        escalations: escalations.map((one) => ({
          target: one.target,
          state: one.state,
          attempts: one.attempts,
          nextAttemptAt: one.state === 'pending' ? one.next_attempt_at : null,
          lastError: one.last_error,
        })),
      };
    });
  }
}
