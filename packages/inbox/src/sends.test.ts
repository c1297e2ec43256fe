import { testBackends, ManualClock } from '@holdfast/store/testing';
import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import { InboxError } from './errors.ts';
import { openInbox, untilLeader, patience } from './testing/inbox-fixture.ts';

// Starting PostgreSQL, and a machine with other work, take their time.

const hour = 3_600_000;

function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof InboxError ? error.code : error),
  );
}

async function* each(users: readonly string[]): AsyncGenerator<string> {
  for (const user of users) {
    await Promise.resolve();
    yield user;
  }
}

describe.each(testBackends)('sending on $name', (backend) => {
  test('the same key in parallel creates one notification', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox } = fixture;
    const results = await Promise.all(
      Array.from({ length: 30 }, () =>
        inbox.send({ to: { user: 'ann' }, category: 'a', title: 'once', idempotencyKey: 'k' }),
      ),
    );
    expect(new Set(results.map((result) => result.id)).size).toBe(1);
    expect(results.filter((result) => !result.repeated)).toHaveLength(1);
    expect((await inbox.list('ann')).items).toHaveLength(1);
  });

  test('a repeated request may have its data in another order, and says nothing else', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox } = fixture;
    const send = (data: unknown) =>
      inbox.send({ to: { user: 'ann' }, category: 'a', title: 'a', data, idempotencyKey: 'k' });
    const first = await send({ order: 7, lines: [{ sku: 'x', count: 2 }] });
    expect(await send({ lines: [{ count: 2, sku: 'x' }], order: 7 })).toEqual({
      ...first,
      repeated: true,
    });
    expect(await codeOf(send({ order: 8, lines: [{ sku: 'x', count: 2 }] }))).toBe(
      'inbox_idempotency_conflict',
    );
    const { items } = await inbox.list('ann');
    expect(items.map(({ data }) => JSON.stringify(data))).toEqual([
      '{"order":7,"lines":[{"sku":"x","count":2}]}',
    ]);
  });

  test('topics reach their subscribers, each once, and large lists go on after a stop', async () => {
    await using database = await backend.create();
    const users = Array.from({ length: 1700 }, (_, index) => `u${String(index).padStart(4, '0')}`);
    let id = '';
    {
      await using fixture = await openInbox(database);
      const { inbox, store } = fixture;
      await store.transaction(async (trx) => {
        for (let start = 0; start < users.length; start += 500) {
          const batch = users.slice(start, start + 500);
          await trx
            .insertInto('inbox_topics')
            .values(batch.map((user) => ({ topic: 'news', user_id: user, since: 0 })))
            .execute();
        }
      });
      expect(await inbox.countSubscribers('news')).toBe(1700);
      await inbox.unsubscribe('u0003', 'news');
      await inbox.unsubscribe('u0003', 'news');
      await inbox.subscribe('u0004', 'news');
      expect(await inbox.topics('u0004')).toEqual(['news']);
      expect(await inbox.topics('u0003')).toEqual([]);
      const sent = await inbox.send({ to: { topic: 'news' }, category: 'a', title: 'topic' });
      expect(sent.state).toBe('running');
      ({ id } = await inbox.send({
        to: { users: each(['twice', ...users, 'twice']) },
        category: 'a',
        title: 'list',
        idempotencyKey: 'list',
      }));
    }
    await using fixture = await openInbox(database);
    const { inbox, store } = fixture;
    const repeated = await inbox.send({
      to: { users: each(users) },
      category: 'a',
      title: 'list',
      idempotencyKey: 'list',
    });
    expect(repeated).toMatchObject({ id, repeated: true });
    await vi.waitFor(async () => {
      expect(await inbox.sendStatus(id)).toMatchObject({ state: 'done', created: 1701 });
      const { rows } = await store.read((db) =>
        sql<{ count: number }>`select count(*) as count from inbox_notifications
          where title = 'topic'`.execute(db),
      );
      expect(rows).toEqual([{ count: 1699 }]);
    }, patience);
    const { rows } = await store.read((db) =>
      sql`select user_id from inbox_notifications group by user_id, title having count(*) > 1`.execute(
        db,
      ),
    );
    expect(rows).toEqual([]);
    expect(await inbox.counts('u0003')).toEqual({ total: 1, byCategory: { a: 1 } });
  });

  test('a send whose recipients broke off is kept for a repetition, then removed with them', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using fixture = await openInbox(database, { clock });
    const { inbox, store } = fixture;
    const broken = async function* (): AsyncGenerator<string> {
      yield* each(Array.from({ length: 1200 }, (_, index) => `u${index}`));
      throw new Error('the connection broke');
    };
    const request = { to: { users: broken() }, category: 'a', title: 'lost' };
    await expect(inbox.send(request)).rejects.toThrow('the connection broke');
    const left = async (): Promise<readonly number[]> =>
      store.read(async (db) => {
        const { rows } = await sql<{ sends: number; recipients: number }>`select
          (select count(*) from inbox_sends) as sends,
          (select count(*) from inbox_send_recipients) as recipients`.execute(db);
        return rows.flatMap(({ sends, recipients }) => [sends, recipients]);
      });
    expect(await left()).toEqual([1, 1000]);
    await vi.waitFor(() => {
      clock.advance(hour);
      expect(store.retention.states.every(({ runs }) => runs > 0)).toBe(true);
    }, patience);
    expect(await left()).toEqual([1, 1000]);
    clock.advance(8 * 24 * hour);
    await vi.waitFor(async () => {
      clock.advance(100);
      expect(await left()).toEqual([0, 0]);
    }, patience);
  });

  test('scheduled sends come at their time, and can be cancelled and taken back', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using fixture = await openInbox(database, { clock });
    const { inbox, store, broker } = fixture;
    await untilLeader(store, clock);
    const sendAt = clock.now() + hour;
    const base = { to: { users: ['ann', 'bob'] }, category: 'a', sendAt };
    const first = await inbox.send({ ...base, title: 'first' });
    const second = await inbox.send({ ...base, title: 'second' });
    expect(first).toMatchObject({ state: 'scheduled', recipients: 2, created: 0, sendAt });
    expect(await inbox.cancel(second.id)).toMatchObject({ state: 'cancelled' });
    expect(await inbox.cancel(second.id)).toMatchObject({ state: 'cancelled' });
    clock.set(sendAt - 2000);
    expect((await inbox.list('ann')).items).toEqual([]);
    await vi.waitFor(async () => {
      clock.advance(1000);
      expect(await inbox.sendStatus(first.id)).toMatchObject({ state: 'done', created: 2 });
    }, patience);
    expect((await inbox.list('ann')).items).toMatchObject([{ title: 'first' }]);
    await inbox.cancel(first.id, { recall: true });
    expect((await inbox.list('ann')).items).toEqual([]);
    await vi.waitFor(
      () =>
        expect(broker.eventsOf('inbox:#bob').at(-1)).toMatchObject({
          type: 'removed',
          reason: 'recalled',
          unread: { total: 0 },
        }),
      patience,
    );
    expect(await codeOf(inbox.cancel('nonsense'))).toBe('inbox_not_found');
    expect(await codeOf(inbox.sendStatus('nonsense'))).toBe('inbox_not_found');
  });

  test('one that cannot be done keeps no other waiting, and goes on once it can be', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const sendAt = clock.now() + 60_000;
    const later = { sendAt, category: 'a' };
    let id = '';
    {
      await using fixture = await openInbox(database, { clock, maxEventBytes: 3000 });
      const { inbox, store, problems } = fixture;
      await untilLeader(store, clock);
      const long = { title: 'long', body: 'x'.repeat(4000) };
      ({ id } = await inbox.send({ to: { user: 'ann' }, ...later, ...long }));
      await inbox.send({ to: { user: 'bob' }, ...later, sendAt: sendAt + 1, title: 'short' });
      clock.set(sendAt + 1);
      await vi.waitFor(async () => {
        clock.advance(100);
        expect(await inbox.counts('bob')).toMatchObject({ total: 1 });
      }, patience);
      expect(problems[0]).toContain(`send ${id} cannot go on`);
      expect(await inbox.sendStatus(id)).toMatchObject({ state: 'scheduled', created: 0 });
    }
    await using fixture = await openInbox(database, { clock });
    await untilLeader(fixture.store, clock);
    await vi.waitFor(async () => {
      clock.advance(100);
      expect(await fixture.inbox.sendStatus(id)).toMatchObject({ state: 'done', created: 1 });
    }, patience);
  });

  test('a finished send that is taken back says so: when, how many, and only once', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using fixture = await openInbox(database, { clock });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    const users = Array.from({ length: 1100 }, (_, index) => `u${index}`);
    const request = { category: 'a', title: 'oops', idempotencyKey: 'oops' };
    const { id } = await inbox.send({ ...request, to: { users: each(users) } });
    await vi.waitFor(async () => {
      clock.advance(100);
      expect(await inbox.sendStatus(id)).toMatchObject({ state: 'done', created: 1100 });
    }, patience);
    const done = await inbox.sendStatus(id);
    expect(done).toMatchObject({ recalled: 0, recalledAt: null });
    const [own] = (await inbox.list('u7')).items;
    await inbox.delete('u7', [own!.id]);
    const transaction = store.transaction.bind(store);
    const dying = vi.spyOn(store, 'transaction');
    // It looks at the send, forgets no recipients, and takes back a batch.
    for (let step = 0; step < 3; step += 1) dying.mockImplementationOnce(transaction);
    dying.mockRejectedValueOnce(new Error('killed'));
    await expect(inbox.cancel(id, { recall: true })).rejects.toThrow('killed');
    dying.mockRestore();
    expect(await inbox.sendStatus(id)).toEqual({ ...done, recalled: 500 });
    clock.advance(1000);
    const at = clock.now();
    const recalls = Array.from({ length: 2 }, () => inbox.cancel(id, { recall: true }));
    await Promise.all(recalls);
    const recalled = { ...done, recalled: 1099, recalledAt: at };
    expect(await inbox.sendStatus(id)).toEqual(recalled);
    clock.advance(1000);
    expect(await inbox.cancel(id, { recall: true })).toEqual(recalled);
    expect(await inbox.cancel(id)).toEqual(recalled);
    const repeated = await inbox.send({ ...request, to: { users: each(users) } });
    expect(repeated).toEqual({ ...recalled, repeated: true });
    expect((await inbox.list('u8')).items).toEqual([]);
  });

  test('what has expired when it comes is stored for nobody', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using fixture = await openInbox(database, { clock });
    const { inbox, store, broker } = fixture;
    await untilLeader(store, clock);
    const expiresAt = clock.now() + hour / 2;
    const request = { to: { users: ['ann', 'bob'] }, category: 'a', title: 'too late', expiresAt };
    const later = await inbox.send({ ...request, sendAt: clock.now() + hour });
    clock.set(clock.now() + hour);
    expect(await inbox.send(request)).toMatchObject({ state: 'done', created: 0, muted: 2 });
    await vi.waitFor(async () => {
      clock.advance(1000);
      expect(await inbox.sendStatus(later.id)).toMatchObject({ state: 'done', created: 0 });
    }, patience);
    expect(broker.eventsOf('inbox:#ann')).toEqual([]);
  });

  test('refuses what cannot be right, and says what it is', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox } = fixture;
    const good = { to: { user: 'ann' }, category: 'a', title: 't' };
    const circular: { self?: unknown } = {};
    circular.self = circular;
    const bad: [string, object][] = [
      ['category', { category: 'No Spaces' }],
      ['title', { title: '' }],
      ['title', { title: 'x'.repeat(201) }],
      ['title', { title: 'bell\u0007' }],
      ['title', { title: '\ud800' }],
      ['title', { title: 'exe.\u202egnp' }],
      ['body', { body: 'x'.repeat(4001) }],
      ['body', { body: 7 }],
      ['severity', { severity: 'fatal' }],
      ['data', { data: 'x'.repeat(20_000) }],
      ['data', { data: circular }],
      ['expiresAt', { expiresAt: Number.NaN }],
      ['sendAt', { sendAt: 'tomorrow' }],
      ['sendAt .* seconds', { sendAt: 1_770_000_000 }],
      ['groupKey', { groupKey: '' }],
      ['idempotencyKey', { idempotencyKey: 'x'.repeat(201) }],
      ['to.users ', { to: { users: ['ann', ''] } }],
      ['to.user ', { to: { user: '' } }],
      ['to.user ', { to: { user: 7 }, sendAt: Date.now() + hour }],
      ['to.topic', { to: { topic: '' } }],
      ...[
        'javascript:alert(1)',
        'JaVaScRiPt:alert(1)',
        ' javascript:alert(1)',
        'java\nscript:alert(1)',
        'data:text/html,x',
        'vbscript:x',
        '//evil.example',
        '/\\evil.example',
        '\\\\evil.example',
        'https:evil',
        'relative/path',
        'https://',
        'https://user:password@example.com/',
        'https://token@example.com/',
        'HTTP://:password@example.com/',
        'https://shop.example%2f@evil.example/',
      ].map((link): [string, object] => ['link', { link }]),
    ];
    for (const [field, change] of bad) {
      const error = await inbox.send({ ...good, ...change }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ code: 'inbox_invalid' });
      expect((error as Error).message).toMatch(new RegExp(`^${field}`));
    }
    expect((await inbox.list('ann')).items).toEqual([]);
    for (const link of [
      '/',
      '/a?b#c',
      'https://example.com/ä',
      'http://localhost:3000/x',
      'https://a.com/@b',
    ]) {
      expect(await inbox.send({ ...good, link })).toMatchObject({ created: 1 });
    }
    const refused = [
      inbox.list('ann', { limit: 0 }),
      inbox.list('ann', { limit: 101 }),
      inbox.list('', {}),
      inbox.list('ann', { status: 'new' as 'all' }),
      inbox.markRead('ann', []),
      inbox.markRead(
        'ann',
        Array.from({ length: 501 }, (_, index) => `${index}`),
      ),
      inbox.setPreferences('ann', {
        categories: {},
        quietHours: { from: '25:00', to: '07:00', timeZone: 'UTC' },
      }),
      inbox.setPreferences('ann', {
        categories: {},
        quietHours: { from: '22:00', to: '07:00', timeZone: 'Nowhere' },
      }),
      inbox.setPreferences('ann', { categories: { a: { inApp: 1 as never } }, quietHours: null }),
    ];
    // All at once: one that is refused while another is waited for would be nobody's.
    const codes = await Promise.all(refused.map(codeOf));
    expect(codes).toEqual(refused.map(() => 'inbox_invalid'));
  });
});

test('the same key through two servers at the same moment creates one notification', async () => {
  await using database = await testBackends[1]!.create();
  await using first = await openInbox(database);
  await using second = await openInbox(database);
  const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
  const results = await Promise.all(
    keys.flatMap((idempotencyKey) =>
      [first, second, first, second].map(({ inbox }) =>
        inbox.send({ to: { user: 'ann' }, category: 'a', title: 'once', idempotencyKey }),
      ),
    ),
  );
  expect(results.filter((result) => !result.repeated)).toHaveLength(keys.length);
  expect(new Set(results.map(({ id }) => id)).size).toBe(keys.length);
  expect((await second.inbox.counts('ann')).total).toBe(keys.length);
});
