import { ManualClock, testBackends } from '@holdfast/store/testing';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { ChangeResult } from './changes.ts';
import type { InboxEvent } from '@holdfast/protocol/inbox';
import { eventsOf, openInbox, type InboxFixture, patience } from './testing/inbox-fixture.ts';

type Optional<T, Key extends keyof T> = Omit<T, Key> & Partial<Pick<T, Key>>;

/** Sends each title to the user; their ids by title. */
async function fill(
  { inbox }: InboxFixture,
  user: string,
  titles: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  for (const title of titles) {
    await inbox.send({ to: { user }, category: title.slice(0, 1), title });
  }
  const { items } = await inbox.list(user, { limit: 100 });
  return new Map(items.map(({ id, title }) => [title, id]));
}

/** What a client has of an inbox that follows the events from the first one on. */
function follow(events: readonly InboxEvent[]): readonly string[] {
  const items = new Map<string, { title: string; isRead: boolean }>();
  for (const event of events) {
    if (event.type === 'created') {
      const { id, title } = event.notification;
      if (event.replaces !== null) items.delete(event.replaces);
      items.set(id, { title, isRead: false });
    } else if (event.type === 'unarchived') {
      for (const { id, title, readAt } of event.notifications) {
        items.set(id, { title, isRead: readAt !== null });
      }
    } else if (event.type === 'removed') {
      for (const id of event.ids) items.delete(id);
    } else if (event.type === 'read' || event.type === 'unread') {
      for (const id of event.ids) {
        const item = items.get(id);
        if (item !== undefined) item.isRead = event.type === 'read';
      }
    }
    const unread = [...items.values()].filter(({ isRead }) => !isRead).length;
    expect(event.unread.total).toBe(unread);
  }
  return [...items.values()].map(({ title, isRead }) => `${title} ${isRead}`).toSorted();
}

describe.each(testBackends)('changes that come together on $name', (backend) => {
  test('share a transaction, one of a user after the other, and touch nobody else', async () => {
    await using database = await backend.create();
    // Its clock stands still, so that no job of its own has a transaction.
    await using fixture = await openInbox(database, { clock: new ManualClock() });
    const { inbox, store } = fixture;
    const ann = await fill(fixture, 'ann', ['a1', 'a2', 'b1']);
    const bob = await fill(fixture, 'bob', ['a1', 'a2']);
    const of = (map: ReadonlyMap<string, string>, title: string): string => map.get(title)!;
    const transactions = vi.spyOn(store, 'transaction');
    const answers = await Promise.all([
      inbox.markRead('ann', [of(ann, 'a1'), of(bob, 'a1'), 'nonsense']),
      inbox.archive('bob', [of(bob, 'a2')]),
      inbox.markUnread('ann', [of(ann, 'a1'), of(ann, 'a2')]),
      inbox.delete('ann', [of(ann, 'a2')]),
      inbox.readAll('ann', { category: 'b' }),
      inbox.markRead('ann', [of(ann, 'a2')]),
      inbox.unarchive('bob', [of(bob, 'a2')]),
      inbox.readAll('nobody'),
      inbox.delete('nobody', [of(bob, 'a1')]),
      inbox.readAll('bob', { upTo: of(bob, 'a1') }),
    ]);
    expect(transactions).toHaveBeenCalledOnce();
    transactions.mockRestore();
    const counts = (a: number, b = 0) => ({
      total: a + b,
      byCategory: { ...(a > 0 ? { a } : {}), ...(b > 0 ? { b } : {}) },
    });
    const changed = (map: ReadonlyMap<string, string>, ...titles: string[]) =>
      titles.map((title) => of(map, title));
    expect(answers).toEqual([
      {
        changed: changed(ann, 'a1'),
        notFound: [of(bob, 'a1'), 'nonsense'],
        unread: counts(1, 1),
        version: 4,
      },
      { changed: changed(bob, 'a2'), notFound: [], unread: counts(1), version: 3 },
      { changed: changed(ann, 'a1'), notFound: [], unread: counts(2, 1), version: 5 },
      { changed: changed(ann, 'a2'), notFound: [], unread: counts(1, 1), version: 6 },
      { changed: changed(ann, 'b1'), unread: counts(1), version: 7 },
      { changed: [], notFound: changed(ann, 'a2'), unread: counts(1), version: 7 },
      { changed: changed(bob, 'a2'), notFound: [], unread: counts(2), version: 4 },
      { changed: [], unread: counts(0), version: 0 },
      { changed: [], notFound: changed(bob, 'a1'), unread: counts(0), version: 0 },
      { changed: changed(bob, 'a1'), unread: counts(1), version: 5 },
    ]);
    expect((await eventsOf(fixture, 'ann')).slice(3)).toEqual([
      {
        type: 'read',
        ids: changed(ann, 'a1'),
        readAt: expect.any(Number),
        version: 4,
        unread: counts(1, 1),
      },
      { type: 'unread', ids: changed(ann, 'a1'), version: 5, unread: counts(2, 1) },
      {
        type: 'removed',
        ids: changed(ann, 'a2'),
        reason: 'deleted',
        version: 6,
        unread: counts(1, 1),
      },
      {
        type: 'read',
        ids: changed(ann, 'b1'),
        readAt: expect.any(Number),
        version: 7,
        unread: counts(1),
      },
    ]);
    expect((await eventsOf(fixture, 'bob')).at(-2)).toMatchObject({
      type: 'unarchived',
      notifications: [{ title: 'a2', readAt: null, archivedAt: null }],
    });
    expect((await inbox.snapshot('nobody')).version).toBe(0);
    expect(await inbox.counts('ann')).toEqual(counts(1));
    expect(await store.integrityCheck()).toEqual([]);
  });

  test('one that is refused takes nothing from the others', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database, { maxEventBytes: 600 });
    const { inbox } = fixture;
    const titles = ['a1', 'a2', 'a3', 'a4'];
    const ids = await fill(fixture, 'ann', titles);
    await inbox.archive(
      'ann',
      titles.slice(1).map((title) => ids.get(title)!),
    );
    const answers = await Promise.allSettled([
      inbox.markRead('ann', [ids.get('a1')!]),
      // Three notifications are more than an event may have.
      inbox.unarchive(
        'ann',
        titles.slice(1).map((title) => ids.get(title)!),
      ),
      inbox.unarchive('ann', [ids.get('a2')!]),
    ]);
    expect(answers).toMatchObject([
      { status: 'fulfilled', value: { version: 6, unread: { total: 0 } } },
      { status: 'rejected', reason: { code: 'store_bad_value' } },
      { status: 'fulfilled', value: { version: 7, unread: { total: 1 } } },
    ]);
    expect(follow(await eventsOf(fixture, 'ann'))).toEqual(['a1 true', 'a2 false']);
  });

  test('whatever comes together does what it would do one after another', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox } = fixture;
    const names = ['ann', 'bob'];
    const titles = ['a1', 'a2', 'b1', 'b2'];
    const verbs = ['markRead', 'markUnread', 'archive', 'unarchive', 'delete'] as const;
    const anyChange = fc.record({
      name: fc.constantFrom(...names),
      verb: fc.oneof(fc.constantFrom(...verbs), fc.constant('readAll' as const)),
      // Of whom the ids are: mostly the user's own.
      owner: fc.option(fc.constantFrom(...names)),
      titles: fc.subarray(titles, { minLength: 1 }),
      category: fc.option(fc.constantFrom('a', 'b')),
    });
    let runs = 0;

    /** Everything that can be seen of it afterwards. */
    async function outcomeOf(
      changes: readonly (typeof anyChange extends fc.Arbitrary<infer One> ? One : never)[],
      way: 'together' | 'one by one',
    ): Promise<unknown> {
      const own = (name: string): string => `${runs} ${way} ${name}`;
      const ids = new Map<string, string>();
      const titleOf = new Map<string, string>();
      for (const name of names) {
        for (const [title, id] of await fill(fixture, own(name), titles)) {
          ids.set(`${name} ${title}`, id);
          titleOf.set(id, `${name} ${title}`);
        }
      }
      const readable = (some: readonly string[]) =>
        some.map((id) => titleOf.get(id) ?? id).toSorted();
      const make = ({
        name,
        verb,
        owner,
        ...one
      }: (typeof changes)[number]): Promise<Optional<ChangeResult, 'notFound'>> => {
        const some = one.titles.map((title) => ids.get(`${owner ?? name} ${title}`)!);
        const [upTo = ''] = some;
        if (verb !== 'readAll') return inbox[verb](own(name), some);
        const category = one.category === null ? {} : { category: one.category };
        return inbox.readAll(own(name), { ...category, ...(owner === null ? {} : { upTo }) });
      };
      const answers: Optional<ChangeResult, 'notFound'>[] = [];
      if (way === 'together') answers.push(...(await Promise.all(changes.map(make))));
      else for (const one of changes) answers.push(await make(one));
      const inboxes = [];
      for (const user of names.map(own)) {
        const stored = [];
        for (const status of ['unread', 'read', 'archived'] as const) {
          for (const { title, readAt } of (await inbox.list(user, { status })).items) {
            stored.push(`${title} ${status} ${readAt !== null}`);
          }
        }
        const events = (await eventsOf(fixture, user)).slice(titles.length).map((event) => {
          const { type, version, unread } = event;
          const shown = 'notifications' in event ? event.notifications : [];
          const some = 'ids' in event ? event.ids : shown.map(({ id }) => id);
          const states = shown.map(({ readAt, archivedAt }) => [readAt !== null, archivedAt]);
          return { type, version, unread, ids: readable(some), states };
        });
        follow(await eventsOf(fixture, user));
        inboxes.push({ stored, events, unread: await inbox.counts(user) });
      }
      const told = answers.map(({ changed, notFound, unread, version }) => ({
        changed: readable(changed),
        notFound: notFound && readable(notFound),
        unread,
        version,
      }));
      return { told, inboxes };
    }

    await fc.assert(
      fc.asyncProperty(fc.array(anyChange, { minLength: 2, maxLength: 16 }), async (changes) => {
        runs += 1;
        const expected = await outcomeOf(changes, 'one by one');
        expect(await outcomeOf(changes, 'together')).toEqual(expected);
      }),
      { numRuns: 10 },
    );
    expect(await fixture.store.integrityCheck()).toEqual([]);
  });

  test('with sends among them every version has its event, and the events make the inbox', async () => {
    await using database = await backend.create();
    await using first = await openInbox(database);
    // Two servers share one PostgreSQL, an SQLite file has one.
    await using second = backend.name === 'PostgreSQL' ? await openInbox(database) : undefined;
    const users = ['ann', 'bob', 'eve'];
    const ids = new Map<string, readonly string[]>();
    for (const user of users) {
      ids.set(user, [...(await fill(first, user, ['a1', 'a2', 'b1', 'b2'])).values()]);
    }
    const burst = Array.from({ length: 120 }, (_, index) => {
      const { inbox } = index % 2 === 0 || second === undefined ? first : second;
      const user = users[index % 3]!;
      const own = ids.get(user)!;
      const some = [own[index % 4]!, own[(index + 1) % 4]!];
      const works: (() => Promise<unknown>)[] = [
        () => inbox.markRead(user, some),
        () => inbox.send({ to: { users }, category: 'a', title: `sent ${index}` }),
        () => inbox.markUnread(user, some),
        () => inbox.readAll(user, { category: 'b' }),
        () => inbox.send({ to: { user }, category: 'b', groupKey: 'g', title: `group ${index}` }),
        () => inbox.archive(user, some),
        () => inbox.unarchive(user, some),
      ];
      return works[index % works.length]!();
    });
    await Promise.all(burst);
    for (const user of users) {
      const broker = first.store.isLeader() ? first.broker : second!.broker;
      const { version, channel, unread } = await first.inbox.snapshot(user);
      await vi.waitFor(() => expect(broker.eventsOf(channel)).toHaveLength(version), patience);
      const events = broker.eventsOf(channel);
      expect(events.map((event) => event.version)).toEqual(
        Array.from({ length: version }, (_, index) => index + 1),
      );
      const { items } = await first.inbox.list(user, { limit: 100 });
      expect(follow(events)).toEqual(
        items.map(({ title, readAt }) => `${title} ${readAt !== null}`).toSorted(),
      );
      expect(events.at(-1)?.unread).toEqual(unread);
    }
    expect(await first.store.integrityCheck()).toEqual([]);
  });
});

test('an inbox that somebody else has locked keeps nobody else waiting, and its changes in order', async () => {
  await using database = await testBackends[1]!.create();
  await using fixture = await openInbox(database);
  const { inbox } = fixture;
  const ids = [...(await fill(fixture, 'ann', ['a1'])).values()];
  const bobs = [...(await fill(fixture, 'bob', ['a1'])).values()];
  const release = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holding = fixture.store.transaction(async (trx) => {
    const mailbox = trx.selectFrom('inbox_mailboxes').selectAll().where('user_id', '=', 'ann');
    await mailbox.forUpdate().execute();
    locked.resolve();
    await release.promise;
  });
  await locked.promise;
  let answered = 0;
  const waiting = ['markRead', 'markUnread', 'markRead'].map(async (verb) => {
    const { version } = await inbox[verb as 'markRead' | 'markUnread']('ann', ids);
    answered += 1;
    return version;
  });
  expect(await inbox.markRead('bob', bobs)).toMatchObject({ changed: bobs });
  expect(await inbox.markUnread('bob', bobs)).toMatchObject({ changed: bobs });
  expect(answered).toBe(0);
  release.resolve();
  await holding;
  expect(await Promise.all(waiting)).toEqual([2, 3, 4]);
  expect(await inbox.counts('ann')).toMatchObject({ total: 0 });
});
