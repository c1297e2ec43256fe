import type { InboxEvent } from '@holdfast/protocol/inbox';
import { StoreError } from '@holdfast/store';
import { ManualClock, testBackends } from '@holdfast/store/testing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InboxError } from './errors.ts';
import type { SendResult } from './send-rows.ts';
import type { SendRequest } from './sends.ts';
import { eventsOf, openInbox, type InboxFixture, untilLeader } from './testing/inbox-fixture.ts';

const longAgo = Date.UTC(2001, 0);

/** Sends all at once; what each is answered, or the code that it is refused with. */
function sendAll(
  { inbox }: InboxFixture,
  requests: readonly Partial<SendRequest>[],
): Promise<readonly unknown[]> {
  return Promise.all(
    requests.map((request) =>
      inbox
        .send({ to: { user: 'ann' }, category: 'a', title: 't', ...request })
        .catch((error: unknown) =>
          error instanceof InboxError || error instanceof StoreError ? error.code : error,
        ),
    ),
  );
}

/** What does not depend on the moment: ids become the titles that they belong to. */
function timeless(events: readonly InboxEvent[]): readonly unknown[] {
  const titles = new Map<string | null, string>();
  return events.map((event) => {
    if (event.type !== 'created') return event;
    const { id, title, groupCount } = event.notification;
    titles.set(id, title);
    const { version, unread, silent, replaces } = event;
    return { title, groupCount, version, unread, silent, replaces: titles.get(replaces) };
  });
}

describe.each(testBackends)('sends that come together on $name', (backend) => {
  test('share a transaction; a user among them several times is told of each', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox, store } = fixture;
    const before = store.metrics.commits;
    const answers = await sendAll(fixture, [
      ...Array.from({ length: 40 }, (_, index) => ({ to: { user: `u${index}` }, title: 'one' })),
      { title: 'first', category: 'constructor' },
      { to: { users: ['bob', 'ann'] }, title: 'second' },
      { title: 'third' },
    ]);
    expect(store.metrics.commits - before).toBe(1);
    expect(answers).toHaveLength(43);
    for (const answer of answers) expect(answer).toMatchObject({ state: 'done', repeated: false });
    expect(answers[41]).toMatchObject({ recipients: 2, created: 2, muted: 0 });
    expect(await eventsOf(fixture, 'ann')).toMatchObject([
      { version: 1, unread: { total: 1, byCategory: { constructor: 1 } } },
      { version: 2, unread: { total: 2, byCategory: { constructor: 1, a: 1 } } },
      { version: 3, unread: { total: 3, byCategory: { constructor: 1, a: 2 } } },
    ]);
    const { items } = await inbox.list('ann');
    expect(items.map(({ title }) => title)).toEqual(['third', 'second', 'first']);
    expect(await eventsOf(fixture, 'bob')).toMatchObject([{ version: 1, unread: { total: 1 } }]);
    expect(await eventsOf(fixture, 'u39')).toMatchObject([{ version: 1, unread: { total: 1 } }]);
  });

  test('each key makes one send, and only who says something else with it is refused', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const [old] = await sendAll(fixture, [{ idempotencyKey: 'old' }]);
    const answers = await sendAll(fixture, [
      { idempotencyKey: 'new' },
      { idempotencyKey: 'old' },
      { idempotencyKey: 'new', title: 'else' },
      { title: 'no key' },
      { idempotencyKey: 'new' },
      { idempotencyKey: 'old', title: 'else' },
    ]);
    expect(answers).toEqual([
      expect.objectContaining({ repeated: false }),
      { ...(old as object), repeated: true },
      'inbox_idempotency_conflict',
      expect.objectContaining({ repeated: false }),
      { ...(answers[0] as object), repeated: true },
      'inbox_idempotency_conflict',
    ]);
    const events = await eventsOf(fixture, 'ann');
    expect(events.map(({ version, unread }) => [version, unread.total])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  test('one that is refused takes nothing from the others', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database, { maxEventBytes: 2000 });
    const answers = await sendAll(fixture, [
      { title: 'before' },
      { title: 'too long for an event', data: 'x'.repeat(2000), idempotencyKey: 'long' },
      { title: 'after', idempotencyKey: 'after' },
      { to: { user: 'bob' } },
    ]);
    expect(answers).toMatchObject([{ created: 1 }, 'store_bad_value', { created: 1 }, {}]);
    const events = await eventsOf(fixture, 'ann');
    expect(events.map(({ version, unread }) => [version, unread.total])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    // Nothing of it was kept, its key neither.
    const again = await sendAll(fixture, [
      { idempotencyKey: 'long' },
      { title: 'after', idempotencyKey: 'after' },
    ]);
    expect(again).toMatchObject([{ repeated: false }, { repeated: true }]);
  });

  test('a closed store is said to each', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    await fixture.store.close();
    const answers = await sendAll(fixture, [{ title: '1' }, { title: '2' }]);
    expect(answers).toEqual(['store_closed', 'store_closed']);
  });

  test('each user gets them as that user wants: muted, elsewhere, in quiet hours, in groups', async () => {
    await using database = await backend.create();
    const clock = new ManualClock(Date.UTC(2026, 5, 1, 23));
    await using fixture = await openInbox(database, {
      clock,
      escalation: { webhook: { deliver: () => Promise.resolve() } },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    const quietHours = { from: '22:00', to: '07:00', timeZone: 'UTC' };
    await inbox.setPreferences('ann', { categories: {}, quietHours });
    await inbox.setPreferences('bob', {
      categories: { a: { mutedUntil: clock.now() + 1000 } },
      quietHours: null,
    });
    await inbox.setPreferences('eve', {
      categories: { a: { inApp: false, webhook: true } },
      quietHours: null,
    });
    await sendAll(fixture, [{ to: { users: ['ann', 'eve'] }, groupKey: 'g', title: 'stored' }]);
    const to = { users: ['ann', 'bob', 'eve', 'kim'] };
    const answers = await sendAll(fixture, [
      { to, groupKey: 'g', title: 'grouped' },
      { to, category: 'b', title: 'other' },
      { to, groupKey: 'g', title: 'again' },
      { to, category: 'b', groupKey: 'g', title: 'group of another category' },
      { to, title: 'gone before it came', expiresAt: longAgo },
    ]);
    expect(answers).toMatchObject([
      { recipients: 4, created: 3, muted: 1 },
      { recipients: 4, created: 4, muted: 0 },
      { recipients: 4, created: 3, muted: 1 },
      { recipients: 4, created: 4, muted: 0 },
      { recipients: 4, created: 0, muted: 4 },
    ]);
    const unread = (a: number, b: number) => ({
      total: a + b,
      byCategory: { ...(a > 0 ? { a } : {}), ...(b > 0 ? { b } : {}) },
    });
    expect(timeless((await eventsOf(fixture, 'ann')).slice(1))).toMatchObject([
      { title: 'stored', version: 2, silent: true, groupCount: 1, unread: unread(1, 0) },
      { title: 'grouped', version: 3, groupCount: 2, replaces: 'stored', unread: unread(1, 0) },
      { title: 'other', version: 4, silent: true, unread: unread(1, 1) },
      { title: 'again', version: 5, groupCount: 3, replaces: 'grouped', unread: unread(1, 1) },
      { version: 6, groupCount: 1, replaces: undefined, unread: unread(1, 2) },
    ]);
    expect(timeless((await eventsOf(fixture, 'bob')).slice(1))).toMatchObject([
      { title: 'other', version: 2, silent: false, unread: unread(0, 1) },
      { title: 'group of another category', version: 3, unread: unread(0, 2) },
    ]);
    // What is shown elsewhere only makes events without a notification.
    expect((await eventsOf(fixture, 'eve')).slice(1)).toMatchObject([
      { type: 'unread', ids: [], version: 2, unread: unread(0, 0) },
      { type: 'unread', ids: [], version: 3, unread: unread(0, 0) },
      { type: 'created', version: 4, unread: unread(0, 1) },
      { type: 'unread', ids: [], version: 5, unread: unread(0, 1) },
      { type: 'created', version: 6, unread: unread(0, 2) },
    ]);
    expect(await inbox.counts('ann')).toEqual(unread(1, 2));
    expect((await inbox.list('kim')).items.map(({ title }) => title)).toEqual([
      'group of another category',
      'again',
      'other',
    ]);
    expect(await store.integrityCheck()).toEqual([]);
  });

  test('above the limit of a user the oldest go, also of several users at once', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database, { retention: { maxPerUser: 4 } });
    const { inbox } = fixture;
    const titles = Array.from({ length: 20 }, (_, index) => `${index}`);
    await sendAll(
      fixture,
      titles.map((title) => ({ title, to: { users: ['ann', 'bob'] } })),
    );
    for (const user of ['ann', 'bob']) {
      const { items } = await inbox.list(user);
      expect(items.map(({ title }) => title)).toEqual(['19', '18', '17', '16']);
      const events = await eventsOf(fixture, user);
      expect(events.map(({ version }) => version)).toEqual(
        Array.from({ length: 21 }, (_, index) => index + 1),
      );
      expect(events.at(-1)).toMatchObject({
        type: 'removed',
        reason: 'retention',
        unread: { total: 4 },
      });
    }
  });

  test('whatever comes together does what it would do one after another', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox } = fixture;
    const names = ['ann', 'bob', 'eve'];
    const absent = fc.constant(undefined);
    const anySend = fc.record({
      users: fc.subarray(names, { minLength: 1 }),
      category: fc.constantFrom('a', 'b'),
      groupKey: fc.oneof(absent, fc.constantFrom('g', 'h')),
      expiresAt: fc.oneof(
        { weight: 4, arbitrary: absent },
        { weight: 1, arbitrary: fc.constant(longAgo) },
      ),
      key: fc.oneof({ weight: 3, arbitrary: absent }, fc.constantFrom('k', 'l')),
    });
    let runs = 0;

    /** Everything that can be seen of it afterwards. */
    async function outcomeOf(
      sends: readonly (typeof anySend extends fc.Arbitrary<infer Send> ? Send : never)[],
      way: 'together' | 'one by one',
    ): Promise<unknown> {
      const own = (name: string): string => `${runs} ${way} ${name}`;
      await inbox.setPreferences(own('bob'), {
        categories: { b: { mutedUntil: 8_640_000_000_000_000 } },
        quietHours: null,
      });
      await inbox.setPreferences(own('eve'), {
        categories: { b: { inApp: false, webhook: true } },
        quietHours: null,
      });
      const requests = sends.map(({ users, category, groupKey, expiresAt, key }, index) => ({
        to: { users: users.map(own) },
        category,
        // Of one key some say the same.
        title: key === undefined ? `${index}` : `${key}${index % 2}`,
        ...(groupKey === undefined ? {} : { groupKey }),
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(key === undefined ? {} : { idempotencyKey: own(key) }),
      }));
      const answers: unknown[] = [];
      if (way === 'together') answers.push(...(await sendAll(fixture, requests)));
      else for (const one of requests) answers.push(...(await sendAll(fixture, [one])));
      const inboxes = [];
      for (const user of names.map(own)) {
        const { items, unread, version } = await inbox.snapshot(user, { limit: 100 });
        const seen = items.map(({ title, groupCount }) => `${title} ${groupCount}`);
        inboxes.push({ seen, unread, version, events: timeless(await eventsOf(fixture, user)) });
      }
      const told = answers.map((answer) => {
        if (typeof answer !== 'object') return answer;
        const { state, recipients, created, muted, repeated } = answer as SendResult;
        return { state, recipients, created, muted, repeated };
      });
      return { told, inboxes };
    }

    await fc.assert(
      fc.asyncProperty(fc.array(anySend, { minLength: 2, maxLength: 16 }), async (sends) => {
        runs += 1;
        const expected = await outcomeOf(sends, 'one by one');
        expect(await outcomeOf(sends, 'together')).toEqual(expected);
      }),
      { numRuns: 15 },
    );
    expect(await fixture.store.integrityCheck()).toEqual([]);
  });
});

test('an inbox that somebody else has locked keeps nobody waiting but those who send there', async () => {
  await using database = await testBackends[1]!.create();
  await using fixture = await openInbox(database);
  await sendAll(fixture, [{ to: { user: 'ann' } }]);
  const release = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holding = fixture.store.transaction(async (trx) => {
    const inbox = trx.selectFrom('inbox_mailboxes').selectAll().where('user_id', '=', 'ann');
    await inbox.forUpdate().execute();
    locked.resolve();
    await release.promise;
  });
  await locked.promise;
  let answered = 0;
  const waiting = ['1', '2'].map(async (title) => {
    await sendAll(fixture, [{ to: { user: 'ann' }, title }]);
    answered += 1;
  });
  const others = await sendAll(fixture, [{ to: { user: 'bob' } }, { to: { user: 'eve' } }]);
  expect(others).toMatchObject([{ created: 1 }, { created: 1 }]);
  expect(await sendAll(fixture, [{ to: { user: 'bob' } }])).toMatchObject([{ created: 1 }]);
  expect(answered).toBe(0);
  release.resolve();
  await Promise.all([holding, ...waiting]);
  expect(await fixture.inbox.counts('ann')).toMatchObject({ total: 3 });
});

test('groups of two servers with the same users and keys never wait for each other crosswise', async () => {
  await using database = await testBackends[1]!.create();
  await using first = await openInbox(database);
  await using second = await openInbox(database);
  for (let round = 0; round < 5; round += 1) {
    const requests = Array.from({ length: 60 }, (_, index) => ({
      to: { users: [`u${index % 7}`, `u${(index + 3) % 7}`] },
      title: `${index}`,
      idempotencyKey: `${round} ${index % 20} ${index % 3}`,
    }));
    await Promise.all([sendAll(first, requests), sendAll(second, requests.toReversed())]);
  }
  for (const { store } of [first, second]) expect(store.metrics.conflictRetries).toBe(0);
  for (let user = 0; user < 7; user += 1) {
    const { version, unread } = await first.inbox.snapshot(`u${user}`);
    expect(unread.total).toBe(version);
  }
});
