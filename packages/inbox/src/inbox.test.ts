import type { InboxEvent } from '@holdfast/protocol/inbox';
import { moveCommand } from '@holdfast/store';
import { testBackends, ManualClock } from '@holdfast/store/testing';
import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import { InboxError } from './errors.ts';
import { inboxModule } from './inbox-module.ts';
import { openInbox, untilLeader, patience } from './testing/inbox-fixture.ts';

// Starting PostgreSQL, and a machine with other work, take their time.

const hour = 3_600_000;
const day = 24 * hour;

function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof InboxError ? error.code : error),
  );
}

describe.each(testBackends)('the inbox on $name', (backend) => {
  test('stores what was sent, pushes it with the counts, and repeats nothing for the same key', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox, broker } = fixture;
    const request = {
      to: { user: 'ann' },
      category: 'orders',
      title: '<b>Order</b> 7',
      body: 'left & gone',
      link: '/orders/7',
      severity: 'success',
      source: 'shop',
      data: { order: 7 },
      idempotencyKey: 'order-7',
    } as const;
    const sent = await inbox.send(request);
    expect(sent).toMatchObject({ state: 'done', created: 1, recipients: 1, repeated: false });
    const again = await inbox.send(request);
    expect(again).toEqual({ ...sent, repeated: true });
    const { items, nextCursor } = await inbox.list('ann');
    expect(nextCursor).toBeNull();
    expect(items).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        category: 'orders',
        severity: 'success',
        title: '<b>Order</b> 7',
        body: 'left & gone',
        link: '/orders/7',
        source: 'shop',
        data: { order: 7 },
        groupKey: null,
        groupCount: 1,
        createdAt: expect.any(Number),
        expiresAt: null,
        readAt: null,
        archivedAt: null,
      },
    ]);
    await vi.waitFor(() => expect(broker.eventsOf('inbox:#ann')).toHaveLength(1), patience);
    expect(broker.eventsOf('inbox:#ann')).toEqual([
      {
        type: 'created',
        version: 1,
        notification: items[0],
        silent: false,
        replaces: null,
        unread: { total: 1, byCategory: { orders: 1 } },
      },
    ]);
    expect(await codeOf(inbox.send({ ...request, title: 'Another' }))).toBe(
      'inbox_idempotency_conflict',
    );
  });

  test('reading, archiving and deleting are idempotent, told, and touch nobody else', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox, broker } = fixture;
    for (const title of ['1', '2', '3']) {
      await inbox.send({ to: { users: ['ann', 'bob'] }, category: 'a', title });
    }
    const ann = (await inbox.list('ann')).items.map((item) => item.id).toReversed();
    const bob = (await inbox.list('bob')).items.map((item) => item.id);
    const foreign = await inbox.markRead('ann', [ann[0]!, bob[0]!, 'nonsense']);
    expect(foreign).toMatchObject({
      changed: [ann[0]],
      notFound: [bob[0], 'nonsense'],
      unread: { total: 2, byCategory: { a: 2 } },
      version: 4,
    });
    expect(await inbox.markRead('ann', [ann[0]!])).toMatchObject({ changed: [], version: 4 });
    expect(await inbox.markUnread('ann', [ann[0]!])).toMatchObject({ version: 5 });
    expect(await inbox.archive('ann', [ann[1]!])).toMatchObject({ unread: { total: 2 } });
    expect(await inbox.archive('ann', [ann[1]!])).toMatchObject({ changed: [] });
    expect((await inbox.list('ann', { status: 'archived' })).items).toHaveLength(1);
    expect(await inbox.unarchive('ann', [ann[1]!])).toMatchObject({ unread: { total: 3 } });
    expect(await inbox.delete('ann', [ann[2]!])).toMatchObject({ unread: { total: 2 } });
    expect(await inbox.delete('ann', [ann[2]!])).toMatchObject({ changed: [], notFound: [ann[2]] });
    expect(await inbox.readAll('ann', { upTo: ann[0]! })).toMatchObject({
      changed: [ann[0]],
      unread: { total: 1 },
    });
    expect(await inbox.readAll('ann')).toMatchObject({ changed: [ann[1]], unread: { total: 0 } });
    expect(await inbox.readAll('ann')).toMatchObject({ changed: [], version: 10 });
    expect((await inbox.list('ann', { status: 'unread' })).items).toEqual([]);
    expect((await inbox.list('ann', { status: 'read' })).items).toHaveLength(2);
    expect(await inbox.counts('bob')).toEqual({ total: 3, byCategory: { a: 3 } });
    await vi.waitFor(() => expect(broker.eventsOf('inbox:#ann')).toHaveLength(10), patience);
    const events = broker.eventsOf('inbox:#ann');
    expect(events.map((event) => event.version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(events.slice(3).map((event) => event.type)).toEqual([
      'read',
      'unread',
      'removed',
      'unarchived',
      'removed',
      'read',
      'read',
    ]);
    await vi.waitFor(() => expect(broker.eventsOf('inbox:#bob')).toHaveLength(3), patience);
  });

  test('an unread notification of the same group is replaced, one that was read is not', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox, broker } = fixture;
    const send = (title: string): Promise<unknown> =>
      inbox.send({ to: { user: 'ann' }, category: 'chat', title, groupKey: 'room-1' });
    await Promise.all([send('a'), send('b'), send('c')]);
    const [merged] = (await inbox.list('ann')).items;
    expect(merged).toMatchObject({ groupCount: 3, groupKey: 'room-1' });
    await inbox.markRead('ann', [merged!.id]);
    await send('d');
    const { items } = await inbox.list('ann');
    expect(items.map((item) => [item.title, item.groupCount])).toEqual([
      ['d', 1],
      [merged!.title, 3],
    ]);
    await vi.waitFor(() => expect(broker.eventsOf('inbox:#ann')).toHaveLength(5), patience);
    const created = broker
      .eventsOf('inbox:#ann')
      .filter(
        (event): event is Extract<InboxEvent, { type: 'created' }> => event.type === 'created',
      );
    expect(created[1]?.replaces).toBe(created[0]?.notification.id);
    expect(await inbox.counts('ann')).toEqual({ total: 1, byCategory: { chat: 1 } });
    expect(await fixture.store.integrityCheck()).toEqual([]);
  });

  test('snapshot and events together are complete, whatever happens between them', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox, broker } = fixture;
    const channel = inbox.channelOf('ann');
    const enough = new AbortController();
    const noise = (async () => {
      for (let index = 0; !enough.signal.aborted || index < 30; index += 1) {
        await inbox.send({ to: { user: 'ann' }, category: `c${index % 3}`, title: `${index}` });
        const [first] = (await inbox.list('ann', { limit: 1 })).items;
        if (index % 4 === 1) await inbox.markRead('ann', [first!.id]);
        if (index % 7 === 2) await inbox.delete('ann', [first!.id]);
        if (index % 11 === 3) await inbox.readAll('ann', { category: 'c1' });
      }
    })();
    const views: { snapshot: Awaited<ReturnType<typeof inbox.snapshot>> }[] = [];
    for (let round = 0; round < 15; round += 1) {
      views.push({ snapshot: await inbox.snapshot('ann', { limit: 100 }) });
    }
    enough.abort();
    await noise;
    const truth = await inbox.snapshot('ann', { limit: 100 });
    await vi.waitFor(
      () => expect(broker.eventsOf(channel).at(-1)?.version).toBe(truth.version),
      patience,
    );
    for (const { snapshot } of views) {
      const items = new Map(snapshot.items.map((item) => [item.id, item]));
      let { version, unread } = snapshot;
      for (const event of broker.eventsOf(channel, snapshot.position.offset)) {
        if (event.version <= version) continue;
        expect(event.version).toBe(version + 1);
        ({ version, unread } = event);
        if (event.type === 'created') items.set(event.notification.id, event.notification);
        if (event.type === 'removed') for (const id of event.ids) items.delete(id);
        if (event.type !== 'read') continue;
        for (const id of event.ids) items.set(id, { ...items.get(id)!, readAt: event.readAt });
      }
      expect(version).toBe(truth.version);
      expect(unread).toEqual(truth.unread);
      const seen = [...items.values()].toSorted((a, b) => (a.id < b.id ? 1 : -1)).slice(0, 100);
      expect(seen).toEqual(truth.items);
    }
  });

  test('lists in pages, with filters', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox } = fixture;
    for (let index = 0; index < 25; index += 1) {
      await inbox.send({
        to: { user: 'ann' },
        category: index % 5 === 0 ? 'rare' : 'usual',
        severity: index % 2 === 0 ? 'warning' : 'info',
        title: `${index}`,
      });
    }
    const titles: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await inbox.list('ann', { limit: 10, ...(cursor ? { cursor } : {}) });
      titles.push(...page.items.map((item) => item.title));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(titles).toEqual(Array.from({ length: 25 }, (_, index) => `${24 - index}`));
    const rare = await inbox.list('ann', { category: 'rare', severity: 'warning' });
    expect(rare.items.map((item) => item.title)).toEqual(['20', '10', '0']);
    expect(await inbox.counts('ann')).toEqual({ total: 25, byCategory: { rare: 5, usual: 20 } });
  });

  test('a device is given again what it has not acknowledged', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using fixture = await openInbox(database, { clock });
    const { inbox } = fixture;
    for (const title of ['1', '2', '3']) {
      await inbox.send({ to: { user: 'ann' }, category: 'a', title });
    }
    const titles = async (device: string): Promise<readonly string[]> =>
      (await inbox.connect('ann', device)).notifications.map((item) => item.title);
    expect(await titles('phone')).toEqual(['1', '2', '3']);
    const ids = (await inbox.list('ann')).items.map((item) => item.id).toReversed();
    const acknowledged = await inbox.acknowledge('ann', 'phone', [ids[0]!, 'nonsense']);
    expect(acknowledged).toEqual({ acknowledged: [ids[0]], notFound: ['nonsense'] });
    await inbox.acknowledge('ann', 'phone', [ids[0]!]);
    expect(await codeOf(inbox.acknowledge('bob', 'phone', [ids[1]!]))).toBe('no error');
    expect(await titles('phone')).toEqual(['2', '3']);
    expect(await titles('laptop')).toEqual(['1', '2', '3']);
    await inbox.markRead('ann', [ids[1]!]);
    expect(await titles('phone')).toEqual(['3']);
    expect(await inbox.deliveryState(ids[0]!)).toMatchObject({
      user: 'ann',
      acknowledgedAt: clock.now(),
      devices: [
        { device: 'laptop', acknowledgedAt: null },
        { device: 'phone', acknowledgedAt: clock.now() },
      ],
    });
    clock.set(clock.now() + 8 * day);
    expect(await titles('phone')).toEqual([]);
    expect(await codeOf(inbox.deliveryState('nonsense'))).toBe('inbox_not_found');
  });

  test('preferences are honoured: category, general, muted, quiet hours', async () => {
    await using database = await backend.create();
    const clock = new ManualClock(Date.UTC(2026, 5, 1, 20, 30));
    await using fixture = await openInbox(database, { clock });
    const { inbox, broker } = fixture;
    const wishes = {
      categories: { ads: { inApp: false }, '*': { mutedUntil: clock.now() + hour } },
      quietHours: { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' },
    };
    expect(await inbox.setPreferences('ann', wishes)).toEqual(wishes);
    expect(await inbox.setPreferences('ann', wishes)).toEqual(wishes);
    expect(await inbox.preferences('ann')).toEqual(wishes);
    expect(await inbox.preferences('bob')).toEqual({ categories: {}, quietHours: null });
    const send = (category: string) =>
      inbox.send({ to: { users: ['ann', 'bob'] }, category, title: category });
    expect(await send('news')).toMatchObject({ recipients: 2, created: 1, muted: 1 });
    clock.set(clock.now() + hour);
    expect(await send('news')).toMatchObject({ created: 2, muted: 0 });
    expect(await send('ads')).toMatchObject({ created: 1, muted: 1 });
    await vi.waitFor(() => expect(broker.eventsOf('inbox:#ann')).toHaveLength(2), patience);
    // 21:30 UTC is 23:30 in Berlin, in the quiet hours.
    expect(broker.eventsOf('inbox:#ann')[1]).toMatchObject({ type: 'created', silent: true });
    clock.set(clock.now() + 9 * hour);
    await send('news');
    await vi.waitFor(() => expect(broker.eventsOf('inbox:#ann')).toHaveLength(3), patience);
    expect(broker.eventsOf('inbox:#ann')[2]).toMatchObject({ type: 'created', silent: false });
  });

  test('settings: a change is told once, with the next version, and undoes no other', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database, {
      categories: { '*': { webhook: true }, orders: { email: true } },
      escalation: { email: { deliver: () => Promise.resolve() } },
    });
    const { inbox, broker } = fixture;
    expect((await inbox.snapshot('ann')).settings).toBeUndefined();
    expect((await inbox.snapshot('ann', { withSettings: true })).settings).toEqual({
      preferences: { categories: {}, quietHours: null },
      topics: [],
      defaults: {
        '*': { inApp: true, webhook: true, email: false },
        orders: { inApp: true, webhook: true, email: true },
      },
      targets: ['email'],
    });
    const quietHours = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' };
    await Promise.all([
      inbox.changePreferences('ann', { categories: { ads: { inApp: false } } }),
      inbox.changePreferences('ann', { categories: { ads: { email: true } } }),
      inbox.changePreferences('ann', { quietHours }),
      inbox.subscribe('ann', 'news'),
      inbox.subscribe('ann', 'sport'),
    ]);
    const all = { categories: { ads: { inApp: false, email: true } }, quietHours };
    const { version, settings } = await inbox.snapshot('ann', { withSettings: true });
    expect(version).toBe(5);
    expect(settings).toMatchObject({ preferences: all, topics: ['news', 'sport'] });
    // What is so already is no change.
    const again = [
      await inbox.changePreferences('ann', { categories: { ads: { inApp: false } } }),
      await inbox.changePreferences('ann', {}),
      await inbox.subscribe('ann', 'news'),
      await inbox.unsubscribe('ann', 'unknown'),
    ];
    expect(again.map((one) => one.version)).toEqual([5, 5, 5, 5]);
    expect(await inbox.unsubscribe('ann', 'sport')).toEqual({ version: 6 });
    const fewer = { categories: { ads: { email: null } }, quietHours: null };
    const preferences = { categories: { ads: { inApp: false } }, quietHours: null };
    expect(await inbox.changePreferences('ann', fewer)).toEqual({ version: 7, preferences });
    const none = { preferences: { categories: {}, quietHours: null }, version: 8 };
    expect(await inbox.changePreferences('ann', { categories: { ads: null } })).toEqual(none);
    await vi.waitFor(() => expect(broker.eventsOf('inbox:#ann')).toHaveLength(8), patience);
    const events = broker.eventsOf('inbox:#ann');
    expect(events.map((event) => event.version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(events.slice(5)).toMatchObject([
      { type: 'unsubscribed', topic: 'sport', unread: { total: 0 } },
      { type: 'preferences', preferences },
      { type: 'preferences', preferences: none.preferences },
    ]);
    for (const wrong of [
      { categories: { 'Not a name': null } },
      { quietHours: { ...quietHours, from: '25:00' } },
      { quietHours: { ...quietHours, timeZone: 'Nowhere' } },
      { categories: { ads: { mutedUntil: -1 } } },
    ]) {
      expect(await codeOf(inbox.changePreferences('ann', wrong))).toBe('inbox_invalid');
    }
    expect(await codeOf(inbox.subscribe('ann', 'Not a name'))).toBe('inbox_invalid');
    expect((await inbox.snapshot('ann')).version).toBe(8);
  });

  test('what expired is gone at once, and told soon after', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using fixture = await openInbox(database, { clock });
    const { inbox, broker, store } = fixture;
    await untilLeader(store, clock);
    await inbox.send({
      to: { user: 'ann' },
      category: 'a',
      title: 'soon gone',
      expiresAt: clock.now() + 60_000,
    });
    expect(await inbox.counts('ann')).toMatchObject({ total: 1 });
    clock.set(clock.now() + 60_000);
    expect(await inbox.counts('ann')).toMatchObject({ total: 0 });
    expect((await inbox.list('ann')).items).toEqual([]);
    await vi.waitFor(() => {
      clock.advance(1000);
      expect(broker.eventsOf('inbox:#ann').at(-1)).toMatchObject({
        type: 'removed',
        reason: 'expired',
        version: 2,
      });
    }, patience);
  });

  test('retention: by age, and by number, unread kept first on request', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using fixture = await openInbox(database, {
      clock,
      retention: { maxPerUser: 20, keepUnread: true, maxAgeMs: 90 * day },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    const send = (title: string): Promise<unknown> =>
      inbox.send({ to: { user: 'ann' }, category: 'a', title });
    await send('keep me');
    for (let index = 0; index < 40; index += 1) {
      await send(`${index}`);
      const [newest] = (await inbox.list('ann', { limit: 1 })).items;
      await inbox.markRead('ann', [newest!.id]);
    }
    const { items } = await inbox.list('ann', { limit: 100 });
    expect(items.length).toBeLessThanOrEqual(20 + 16);
    expect(items.at(-1)?.title).toBe('keep me');
    clock.set(clock.now() + 91 * day);
    await vi.waitFor(() => {
      expect(store.metrics.outbox.published).toBe(store.metrics.outbox.appended);
    }, patience);
    clock.advance(hour);
    await vi.waitFor(async () => {
      clock.advance(100);
      const left = await inbox.list('ann', { limit: 100 });
      expect(left.items.map((item) => item.title)).toEqual(['keep me']);
    }, patience);
  });

  test('newest stays first when the clock is set back, also over a restart', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const titles: string[] = [];
    for (const round of [1, 2, 3]) {
      await using fixture = await openInbox(database, { clock });
      for (const half of ['a', 'b']) {
        const title = `${round}${half}`;
        await fixture.inbox.send({ to: { user: 'ann' }, category: 'a', title });
        titles.unshift(title);
        clock.set(clock.now() - hour);
      }
      const { items } = await fixture.inbox.list('ann');
      expect(items.map((item) => item.title)).toEqual(titles);
    }
  });
});

test('a device that connects while notifications go is given the others', async () => {
  await using database = await testBackends.find(({ name }) => name === 'PostgreSQL')!.create();
  await using fixture = await openInbox(database);
  const { inbox, store } = fixture;
  for (const title of ['goes', 'stays']) {
    await inbox.send({ to: { user: 'ann' }, category: 'a', title });
  }
  const waiting = (): Promise<number> =>
    store.read(async (db) => {
      const { rows } = await sql<{ count: number }>`
        select count(*)::int as count from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(db);
      return rows[0]?.count ?? 0;
    });
  const deleted = Promise.withResolvers<void>();
  const connected = Promise.withResolvers<void>();
  const deleting = store.transaction(async (trx) => {
    await trx.deleteFrom('inbox_notifications').where('title', '=', 'goes').execute();
    deleted.resolve();
    await connected.promise;
  });
  await deleted.promise;
  const connecting = inbox.connect('ann', 'phone');
  await vi.waitFor(async () => expect(await waiting()).toBe(1), patience);
  connected.resolve();
  await deleting;
  expect((await connecting).notifications.map(({ title }) => title)).toEqual(['stays']);
});

test('moves from SQLite to PostgreSQL, where it goes on', async () => {
  await using from = await testBackends[0]!.create();
  await using to = await testBackends[1]!.create();
  let before: unknown;
  {
    await using fixture = await openInbox(from);
    const { inbox } = fixture;
    for (const title of ['1', '2', '3']) {
      await inbox.send({ to: { users: ['ann', 'bob'] }, category: 'a', title, groupKey: title });
    }
    const { items } = await inbox.list('ann');
    await inbox.markRead('ann', [items[0]!.id]);
    await inbox.connect('ann', 'phone');
    await inbox.subscribe('ann', 'news');
    before = [await inbox.list('ann'), await inbox.counts('bob'), await inbox.topics('ann')];
  }
  const moved = await moveCommand({ from: from.url, to: to.url, modules: [inboxModule] });
  expect(moved).toMatchObject({
    exitCode: 0,
    text: expect.stringContaining('inbox_notifications: 6'),
  });
  await using fixture = await openInbox(to);
  const { inbox } = fixture;
  const after = [await inbox.list('ann'), await inbox.counts('bob'), await inbox.topics('ann')];
  expect(after).toEqual(before);
  expect(await fixture.store.integrityCheck()).toEqual([]);
  await inbox.send({ to: { user: 'ann' }, category: 'a', title: '4' });
  expect((await inbox.snapshot('ann')).version).toBe(6);
});
