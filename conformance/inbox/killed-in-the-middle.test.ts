import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createEmailTarget, createInbox, inboxModule, type Inbox } from '@holdfast/inbox';
import { createStoreJournals, journalModule, type JournalTables } from '@holdfast/journal';
import { openStore, type Store } from '@holdfast/store';
import { ManualClock, testBackends, unhurried } from '@holdfast/store/testing';
import { sql } from 'kysely';
import { SMTPServer } from 'smtp-server';
import { describe, expect, test, vi } from 'vitest';
import { startChild } from '../child.ts';

const start = 1_700_000_000_000;
const later = start + 60_000;
const farAway = start + 10_000_000_000;
const patience = { timeout: 60_000, interval: 5 };

/** A server that stands still at a moment, is killed there, and is gone. */
async function killAt(url: string, moment: string, mailUrl = ''): Promise<void> {
  const script = path.join(import.meta.dirname, 'stuck-server.ts');
  const child = startChild(script, [url, `${later}`, moment, mailUrl]);
  await child.waitFor(/^here$/);
  await child.kill();
}

interface Life extends AsyncDisposable {
  readonly store: Store<JournalTables>;
  readonly inbox: Inbox;
  readonly journal: ReturnType<typeof createStoreJournals>['streams'];
}

async function begin(url: string, clock: ManualClock, mailUrl?: string): Promise<Life> {
  const modules = [inboxModule, journalModule];
  const store = await openStore<JournalTables>({ url, modules, clock, ...unhurried });
  store.outbox.start({ publish: () => Promise.resolve() });
  const { streams: journal } = createStoreJournals(store, { node: 'a' });
  const mail =
    mailUrl === undefined
      ? undefined
      : createEmailTarget({
          url: mailUrl,
          from: 'no-reply@example.com',
          addressOf: (user) => `${user}@example.com`,
        });
  const inbox = createInbox({
    store,
    position: () => Promise.resolve({ offset: 0, epoch: '' }),
    categories: { mailed: { email: true, escalateAfterMs: 0 } },
    ...(mail && { escalation: { email: mail, timeoutMs: 2_000_000_000 } }),
  });
  return {
    store,
    inbox,
    journal,
    async [Symbol.asyncDispose]() {
      await inbox.close();
      mail?.close();
      await store.close();
    },
  };
}

/** A mail server in this process that takes everything. */
async function startMailServer() {
  const messageIds: (string | undefined)[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, _session, callback) {
      let text = '';
      stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      stream.on('end', () => {
        messageIds.push(/^message-id: (.*)$/im.exec(text)?.[1]?.trim());
        callback();
      });
    },
  });
  // A client that is killed leaves a broken connection.
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  return {
    messageIds,
    url: `smtp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

describe.each(testBackends)('a server on $name is killed', (backend) => {
  test.each(['expired notifications', 'journals'])(
    'in the middle of the retention of %s: nothing else is gone, and the next one finishes it',
    async (job) => {
      await using database = await backend.create();
      const users = Array.from({ length: 130 }, (_, index) => `u${index}`);
      const channelsOf = (kind: string, count: number): readonly string[] =>
        Array.from({ length: count }, (_, index) => `${kind}${index}`);
      const kept = channelsOf('kept', 100);
      {
        await using life = await begin(database.url, new ManualClock(start));
        const { inbox, journal } = life;
        for (let number = 0; number < 10; number += 1) {
          const title = `old ${number}`;
          const expiresAt = start + 1000;
          await inbox.send({ to: { users }, category: 'a', title, expiresAt });
        }
        await inbox.send({ to: { users }, category: 'a', title: 'kept', expiresAt: farAway });
        await journal.open();
        for (const [channels, until] of [
          [channelsOf('old', 1300), start + 1000],
          [kept, farAway],
        ] as const) {
          const stream = { epoch: 'e', top: 1, oldest: 1, version: 0, versionEpoch: '' };
          await journal.commit(
            channels.map((channel) => ({
              channel,
              stream: { ...stream, expireAt: until, forgetAt: until },
              publications: [{ offset: 1, data: Buffer.from(channel) }],
              entries: [],
              results: [],
              startsOver: true,
              removedKeys: [],
              keepUntil: until,
            })),
          );
        }
      }
      await killAt(database.url, job);
      const clock = new ManualClock(later);
      await using life = await begin(database.url, clock);
      const { store, inbox, journal } = life;
      const count = async (table: string): Promise<number | undefined> => {
        const { rows } = await store.read((db) =>
          sql<{ count: number }>`select count(*) as count from ${sql.table(table)}`.execute(db),
        );
        return rows[0]?.count;
      };
      const left = { 'expired notifications': 'inbox_notifications', journals: 'journal_channels' };
      const table = left[job as keyof typeof left];
      // One batch of 500 was committed, and the second one was not.
      const [all, few] = job === 'journals' ? [1400, 100] : [1430, 130];
      expect(await count(table)).toBe(all - 500);
      await vi.waitFor(async () => {
        clock.advance(1000);
        expect(await count(table)).toBe(few);
      }, patience);
      expect(await inbox.counts('u77')).toMatchObject({ total: 1 });
      for (const user of ['u0', 'u77', 'u129']) {
        const { items } = await inbox.list(user);
        expect(items.map(({ title }) => title)).toEqual(['kept']);
      }
      const channels = await journal.open().then(() => journal.load(kept));
      expect(
        channels.map(({ channel, publications }) => [
          channel,
          publications.map(({ data = '' }) => Buffer.from(data).toString()),
        ]),
      ).toEqual(expect.arrayContaining(kept.map((channel) => [channel, [channel]])));
      expect(await store.integrityCheck()).toEqual([]);
    },
  );

  test('when the mail server has taken a mail: it comes once more, and says that it is the same', async () => {
    await using database = await backend.create();
    await using mails = await startMailServer();
    await killAt(database.url, 'mail', mails.url);
    expect(mails.messageIds).toHaveLength(1);
    const clock = new ManualClock(later);
    await using life = await begin(database.url, clock, mails.url);
    const { items } = await life.inbox.list('ann');
    await vi.waitFor(async () => {
      clock.advance(100);
      const { escalations } = await life.inbox.deliveryState(items[0]!.id);
      expect(escalations).toMatchObject([{ target: 'email', state: 'delivered' }]);
    }, patience);
    expect(mails.messageIds).toHaveLength(2);
    expect(mails.messageIds[0]).toMatch(/^<.+@example\.com>$/);
    expect(new Set(mails.messageIds).size).toBe(1);
  });
});
