import { openStore, type StoreModule } from '@holdfast/store';
import { testBackends } from '@holdfast/store/testing';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { inboxModule } from './inbox-module.ts';
import { openInbox } from './testing/inbox-fixture.ts';

/** What the tables were when sends could not say yet that they were taken back. */
const before: StoreModule = { ...inboxModule, migrations: inboxModule.migrations.slice(0, 2) };
/** Each later step dies at its end. */
const dying: StoreModule = {
  ...inboxModule,
  migrations: inboxModule.migrations.map((migration, index) => ({
    name: migration.name,
    async up(context) {
      await migration.up(context);
      if (index >= before.migrations.length) throw new Error('killed');
    },
  })),
};

describe.each(testBackends)('an inbox of an earlier version on $name', (backend) => {
  test('is brought up to date, also after a start that died half-way, with what it has', async () => {
    await using database = await backend.create();
    const id = '00000000-0000-7000-8000-000000000001';
    {
      await using store = await openStore({ url: database.url, modules: [before] });
      await store.transaction(async (trx) => {
        await sql`insert into inbox_mailboxes (user_id, version) values ('ann', 1)`.execute(trx);
        await sql`insert into inbox_sends (id, fingerprint, content, state, send_at, cursor,
          recipients, created, muted, created_at, finished_at)
          values (${id}, 'f', '{}', 'done', 1, '', 1, 1, 0, 1, 2)`.execute(trx);
        await sql`insert into inbox_notifications (id, user_id, send_id, category, severity, title,
          body, group_count, created_at, in_app)
          values (${id}, 'ann', ${id}, 'a', 'info', 't', '', 1, 1, 1)`.execute(trx);
      });
    }
    await expect(openStore({ url: database.url, modules: [dying] })).rejects.toMatchObject({
      code: 'store_migration_failed',
    });
    // Nothing is half-done: the earlier version still works with it.
    await (await openStore({ url: database.url, modules: [before] })).close();
    await using fixture = await openInbox(database);
    const { inbox, store } = fixture;
    const status = await inbox.sendStatus(id);
    expect(status).toMatchObject({ state: 'done', created: 1, recalled: 0, recalledAt: null });
    expect(await inbox.cancel(id, { recall: true })).toEqual({
      ...status,
      recalled: 1,
      recalledAt: expect.any(Number),
    });
    expect(await inbox.counts('ann')).toEqual({ total: 0, byCategory: {} });
    expect(await store.integrityCheck()).toEqual([]);
  });
});
