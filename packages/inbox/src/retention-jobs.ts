import type { Store } from '@holdfast/store';
import type { InboxTables } from './inbox-module.ts';
import type { Mailboxes } from './mailbox.ts';
import type { InboxSettings } from './options.ts';
import { deleteSends } from './send-rows.ts';

/** Removes what has expired, what is too old, and what nobody needs to remember. */
export function addRetentionJobs(
  store: Store<InboxTables>,
  settings: InboxSettings,
  mailboxes: Mailboxes,
): void {
  const { maxAgeMs, keepUnread, sendsMs } = settings.retention;
  const { dialect } = store;
  store.retention.add<InboxTables>({
    name: 'expired notifications',
    everyMs: 10_000,
    async deleteBatch(trx, { now, limit }) {
      const rows = await trx
        .selectFrom('inbox_notifications')
        .select(['id', 'user_id'])
        .where('expires_at', '<=', now)
        .orderBy('expires_at')
        .limit(limit)
        .execute();
      await mailboxes.remove(trx, rows, { reason: 'expired', now });
      return rows.length;
    },
  });
  store.retention.add<InboxTables>({
    name: 'old notifications',
    everyMs: 3_600_000,
    async deleteBatch(trx, { now, limit }) {
      let query = trx
        .selectFrom('inbox_notifications')
        .select(['id', 'user_id'])
        // Ids begin with the time, so the primary key finds the oldest.
        .where('id', '<', firstIdAt(now - maxAgeMs))
        .orderBy('id')
        .limit(limit);
      if (keepUnread) {
        query = query.where((where) =>
          where.or([where('read_at', 'is not', null), where('archived_at', 'is not', null)]),
        );
      }
      const rows = await query.execute();
      await mailboxes.remove(trx, rows, { reason: 'retention', now });
      return rows.length;
    },
  });
  store.retention.add<InboxTables>({
    name: 'finished sends',
    everyMs: 3_600_000,
    async deleteBatch(trx, { now, limit }) {
      const old = await trx
        .selectFrom('inbox_sends')
        .select('id')
        .where('finished_at', '<', now - sendsMs)
        .orderBy('finished_at')
        .limit(limit)
        .execute();
      return deleteSends(trx, { dialect, sendIds: old.map(({ id }) => id), limit });
    },
  });
  store.retention.add<InboxTables>({
    name: 'abandoned sends',
    everyMs: 3_600_000,
    // Their recipients broke off while they were being told, and nobody came back to finish it.
    async deleteBatch(trx, { now, limit }) {
      let query = trx
        .selectFrom('inbox_sends')
        .select('id')
        .where('state', '=', 'collecting')
        .where('created_at', '<', now - sendsMs)
        .limit(limit);
      // None of them may be taken up again by a repetition while it is deleted.
      if (dialect === 'postgres') query = query.forUpdate();
      const abandoned = await query.execute();
      return deleteSends(trx, { dialect, sendIds: abandoned.map(({ id }) => id), limit });
    },
  });
  store.retention.add<InboxTables>({
    name: 'finished escalations',
    everyMs: 3_600_000,
    async deleteBatch(trx, { now, limit }) {
      const old = trx
        .selectFrom('inbox_escalations')
        .select('id')
        .where('finished_at', '<', now - maxAgeMs)
        .orderBy('finished_at')
        .limit(limit);
      const result = await trx
        .deleteFrom('inbox_escalations')
        .where('id', 'in', old)
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  });
}

/** The smallest UUIDv7 of a millisecond. */
function firstIdAt(time: number): string {
  const digits = Math.max(0, Math.trunc(time)).toString(16).padStart(12, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8)}-7000-8000-000000000000`;
}
