import type { Severity } from '@holdfast/protocol/inbox';
import type { StoreModule } from '@holdfast/store';
import { sql, type Generated } from 'kysely';

/** One user's inbox. */
export interface MailboxTable {
  user_id: string;
  /** Counts changes; see `InboxEvent`. */
  version: number;
}

/** One notification of one user. Times are Unix milliseconds. */
export interface NotificationTable {
  id: string;
  user_id: string;
  send_id: string;
  category: string;
  severity: Severity;
  title: string;
  body: string;
  link: string | null;
  source: string | null;
  data: string | null;
  group_key: string | null;
  group_count: number;
  created_at: number;
  expires_at: number | null;
  read_at: number | null;
  archived_at: number | null;
  /** First acknowledgement by any device. */
  acknowledged_at: number | null;
  /** 0: the user wants this category elsewhere only. */
  in_app: number;
  /** When it goes elsewhere unless somebody has seen it. */
  escalate_at: number | null;
}

/** What one device has been given of one notification. */
export interface DeliveryTable {
  notification_id: string;
  device: string;
  pushed_at: number;
  acknowledged_at: number | null;
}

/** How far a send is; `SendStatus` says what each means. */
export type SendState = 'collecting' | 'scheduled' | 'running' | 'done' | 'cancelled';

/** One call of send: what, to whom, and how far it is. */
export interface SendTable {
  id: string;
  idempotency_key: string | null;
  /** Hash of the request, to tell a repetition from a mistake. */
  fingerprint: string;
  /** JSON of `CheckedContent`. */
  content: string;
  topic: string | null;
  state: SendState;
  send_at: number;
  /** Recipients up to this one, in their order, have it. */
  cursor: string;
  recipients: number;
  created: number;
  muted: number;
  created_at: number;
  finished_at: number | null;
  /** Notifications that a recall has removed so far. */
  recalled: number;
  /** When a recall had removed the last one. */
  recalled_at: number | null;
}

/** Somebody on the list of a send who has not got it yet. */
export interface SendRecipientTable {
  send_id: string;
  user_id: string;
}

/** Somebody's subscription to a topic. */
export interface TopicTable {
  topic: string;
  user_id: string;
  since: number;
}

/** What a user wants, for one category or (`*`) in general; null leaves it to the next rule. */
export interface PreferenceTable {
  user_id: string;
  category: string;
  in_app: number | null;
  webhook: number | null;
  email: number | null;
  muted_until: number | null;
  /** Minutes of the day, in `time_zone`. */
  quiet_from: number | null;
  quiet_to: number | null;
  time_zone: string | null;
}

/** A notification on its way out of the application. */
export interface EscalationTable {
  id: string;
  notification_id: string;
  user_id: string;
  target: 'webhook' | 'email';
  state: 'pending' | 'delivered' | 'dead' | 'obsolete';
  attempts: Generated<number>;
  next_attempt_at: number;
  created_at: number;
  finished_at: number | null;
  last_error: string | null;
}

/** The inbox's part of the database. */
export interface InboxTables {
  inbox_mailboxes: MailboxTable;
  inbox_notifications: NotificationTable;
  inbox_deliveries: DeliveryTable;
  inbox_sends: SendTable;
  inbox_send_recipients: SendRecipientTable;
  inbox_topics: TopicTable;
  inbox_preferences: PreferenceTable;
  inbox_escalations: EscalationTable;
}

/** The inbox's tables; pass it to `openStore`. */
export const inboxModule: StoreModule = {
  name: 'inbox',
  migrations: [
    {
      name: 'inbox',
      async up({ db, createTable, types: { text, integer } }) {
        await createTable('inbox_mailboxes')
          .addColumn('user_id', text, (column) => column.primaryKey())
          .addColumn('version', integer, (column) => column.notNull())
          .execute();
        await createTable('inbox_notifications')
          .addColumn('id', text, (column) => column.primaryKey())
          .addColumn('user_id', text, (column) => column.notNull())
          .addColumn('send_id', text, (column) => column.notNull())
          .addColumn('category', text, (column) => column.notNull())
          .addColumn('severity', text, (column) => column.notNull())
          .addColumn('title', text, (column) => column.notNull())
          .addColumn('body', text, (column) => column.notNull())
          .addColumn('link', text)
          .addColumn('source', text)
          .addColumn('data', text)
          .addColumn('group_key', text)
          .addColumn('group_count', integer, (column) => column.notNull())
          .addColumn('created_at', integer, (column) => column.notNull())
          .addColumn('expires_at', integer)
          .addColumn('read_at', integer)
          .addColumn('archived_at', integer)
          .addColumn('acknowledged_at', integer)
          .addColumn('in_app', integer, (column) => column.notNull())
          .addColumn('escalate_at', integer)
          .execute();
        // The list is read in this order; the second one counts and finds what is unread.
        await sql`create index inbox_by_user on inbox_notifications (user_id, id)`.execute(db);
        await sql`create index inbox_unread on inbox_notifications (user_id, category, group_key)
          where read_at is null and archived_at is null and in_app = 1`.execute(db);
        await sql`create index inbox_by_send on inbox_notifications (send_id)`.execute(db);
        await sql`create index inbox_expiring on inbox_notifications (expires_at)
          where expires_at is not null`.execute(db);
        await sql`create index inbox_escalating on inbox_notifications (escalate_at)
          where escalate_at is not null`.execute(db);
        await createTable('inbox_deliveries')
          .addColumn('notification_id', text, (column) =>
            column.notNull().references('inbox_notifications.id').onDelete('cascade'),
          )
          .addColumn('device', text, (column) => column.notNull())
          .addColumn('pushed_at', integer, (column) => column.notNull())
          .addColumn('acknowledged_at', integer)
          .addPrimaryKeyConstraint('inbox_deliveries_pk', ['notification_id', 'device'])
          .execute();
        await createTable('inbox_sends')
          .addColumn('id', text, (column) => column.primaryKey())
          .addColumn('idempotency_key', text, (column) => column.unique())
          .addColumn('fingerprint', text, (column) => column.notNull())
          .addColumn('content', text, (column) => column.notNull())
          .addColumn('topic', text)
          .addColumn('state', text, (column) => column.notNull())
          .addColumn('send_at', integer, (column) => column.notNull())
          .addColumn('cursor', text, (column) => column.notNull())
          .addColumn('recipients', integer, (column) => column.notNull())
          .addColumn('created', integer, (column) => column.notNull())
          .addColumn('muted', integer, (column) => column.notNull())
          .addColumn('created_at', integer, (column) => column.notNull())
          .addColumn('finished_at', integer)
          .execute();
        await sql`create index inbox_sends_due on inbox_sends (send_at)
          where state in ('scheduled', 'running')`.execute(db);
        await sql`create index inbox_sends_finished on inbox_sends (finished_at)
          where finished_at is not null`.execute(db);
        await createTable('inbox_send_recipients')
          .addColumn('send_id', text, (column) =>
            column.notNull().references('inbox_sends.id').onDelete('cascade'),
          )
          .addColumn('user_id', text, (column) => column.notNull())
          .addPrimaryKeyConstraint('inbox_send_recipients_pk', ['send_id', 'user_id'])
          .execute();
        await createTable('inbox_topics')
          .addColumn('topic', text, (column) => column.notNull())
          .addColumn('user_id', text, (column) => column.notNull())
          .addColumn('since', integer, (column) => column.notNull())
          .addPrimaryKeyConstraint('inbox_topics_pk', ['topic', 'user_id'])
          .execute();
        await sql`create index inbox_topics_by_user on inbox_topics (user_id)`.execute(db);
        await createTable('inbox_preferences')
          .addColumn('user_id', text, (column) => column.notNull())
          .addColumn('category', text, (column) => column.notNull())
          .addColumn('in_app', integer)
          .addColumn('webhook', integer)
          .addColumn('email', integer)
          .addColumn('muted_until', integer)
          .addColumn('quiet_from', integer)
          .addColumn('quiet_to', integer)
          .addColumn('time_zone', text)
          .addPrimaryKeyConstraint('inbox_preferences_pk', ['user_id', 'category'])
          .execute();
        await createTable('inbox_escalations')
          .addColumn('id', text, (column) => column.primaryKey())
          .addColumn('notification_id', text, (column) => column.notNull())
          .addColumn('user_id', text, (column) => column.notNull())
          .addColumn('target', text, (column) => column.notNull())
          .addColumn('state', text, (column) => column.notNull())
          .addColumn('attempts', integer, (column) => column.notNull().defaultTo(0))
          .addColumn('next_attempt_at', integer, (column) => column.notNull())
          .addColumn('created_at', integer, (column) => column.notNull())
          .addColumn('finished_at', integer)
          .addColumn('last_error', text)
          .addUniqueConstraint('inbox_escalations_once', ['notification_id', 'target'])
          .execute();
        await sql`create index inbox_escalations_due on inbox_escalations (next_attempt_at)
          where state = 'pending'`.execute(db);
      },
    },
    {
      name: 'dead letters',
      async up({ db }) {
        await sql`create index inbox_escalations_dead on inbox_escalations (id, target)
          where state = 'dead'`.execute(db);
      },
    },
    {
      name: 'recalls',
      async up({ db, types: { integer } }) {
        const sends = db.schema.alterTable('inbox_sends');
        await sends
          .addColumn('recalled', integer, (column) => column.notNull().defaultTo(0))
          .execute();
        await sends.addColumn('recalled_at', integer).execute();
      },
    },
    {
      name: 'retention by index',
      async up({ db }) {
        await sql`create index inbox_escalations_finished on inbox_escalations (finished_at)
          where finished_at is not null`.execute(db);
        await sql`create index inbox_sends_collecting on inbox_sends (created_at)
          where state = 'collecting'`.execute(db);
      },
    },
    {
      name: 'running sends',
      async up({ db }) {
        await sql`create index inbox_sends_running on inbox_sends (send_at)
          where state = 'running'`.execute(db);
      },
    },
  ],
  async newestId(db) {
    const { rows } = await sql<{ id: string | null }>`
      select max(id) as id from inbox_notifications`.execute(db);
    return rows[0]?.id ?? undefined;
  },
  checks: [
    {
      name: 'mailboxes',
      async find(db) {
        const { rows } = await sql<{ user_id: string }>`
          select distinct user_id from inbox_notifications
          where user_id not in (select user_id from inbox_mailboxes) limit 10`.execute(db);
        return rows.map(({ user_id: user }) => `user ${user} has notifications but no mailbox`);
      },
    },
  ],
};
