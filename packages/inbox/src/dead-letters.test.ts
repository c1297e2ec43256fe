import { testBackends, ManualClock } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import type { DeadLetter } from './dead-letters.ts';
import type { EscalationAttempt, EscalationTarget } from './escalation-target.ts';
import type { Inbox } from './inbox.ts';
import { openInbox, untilLeader, patience } from './testing/inbox-fixture.ts';

const hour = 3_600_000;

/** Takes nothing until it is mended. */
class Receiver implements EscalationTarget {
  isBroken = true;
  readonly taken: EscalationAttempt[] = [];

  async deliver(attempt: EscalationAttempt): Promise<void> {
    await Promise.resolve();
    if (this.isBroken) throw new Error('the receiver is broken');
    this.taken.push(attempt);
  }
}

/** Reads the list to its end, three by three. */
async function readAll(inbox: Inbox): Promise<readonly DeadLetter[]> {
  const items: DeadLetter[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await inbox.deadLetters({ limit: 3, ...(cursor ? { cursor } : {}) });
    expect(page.items.length).toBeLessThanOrEqual(3);
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

describe.each(testBackends)('dead letters on $name', (backend) => {
  test('are listed, and tried again for those who still need them', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const webhook = new Receiver();
    const email = new Receiver();
    await using fixture = await openInbox(database, {
      clock,
      categories: { '*': { webhook: true, email: true, escalateAfterMs: 0 } },
      escalation: { webhook, email, maxAttempts: 1 },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    const expiresAt = clock.now() + hour;
    const users = ['ann', 'bob', 'cyd', 'eve', 'fay', 'gus'];
    await inbox.send({ to: { users }, category: 'a', title: 'x' });
    await inbox.send({ to: { user: 'dan' }, category: 'a', title: 'x', expiresAt });
    await vi.waitFor(async () => {
      clock.advance(100);
      expect((await inbox.deadLetters({ limit: 100 })).items).toHaveLength(14);
    }, patience);
    const all = await readAll(inbox);
    expect(all.map(({ id }) => id)).toEqual(
      [...new Set(all.map(({ id }) => id))].toSorted().toReversed(),
    );
    expect(all).toHaveLength(14);
    const byMail = await inbox.deadLetters({ target: 'email' });
    expect(byMail).toEqual({
      items: all.filter(({ target }) => target === 'email'),
      nextCursor: null,
    });
    const idOf = (user: string, target: DeadLetter['target']): string =>
      all.find((letter) => letter.user === user && letter.target === target)!.id;
    const ofAnn = (await inbox.list('ann')).items[0]!.id;
    const annsByWebhook = all.find(({ id }) => id === idOf('ann', 'webhook'))!;
    expect(annsByWebhook).toMatchObject({
      notificationId: ofAnn,
      attempts: 1,
      lastError: 'the receiver is broken',
    });
    expect(annsByWebhook.givenUpAt).toBeGreaterThanOrEqual(annsByWebhook.createdAt);

    const own = async (user: string): Promise<string[]> =>
      (await inbox.list(user)).items.map(({ id }) => id);
    await inbox.markRead('bob', await own('bob'));
    await inbox.archive('cyd', await own('cyd'));
    await inbox.delete('eve', await own('eve'));
    await inbox.setPreferences('fay', { categories: { a: { webhook: false } }, quietHours: null });
    const fullHour = (at: number): string => `${new Date(at).toISOString().slice(11, 13)}:00`;
    const quietHours = {
      from: fullHour(expiresAt),
      to: fullHour(expiresAt + hour),
      timeZone: 'UTC',
    };
    await inbox.setPreferences('gus', { categories: {}, quietHours });
    clock.set(expiresAt);
    webhook.isBroken = false;
    const both = await Promise.all([
      inbox.retryDeadLetters({ target: 'webhook' }),
      inbox.retryDeadLetters({ target: 'webhook' }),
    ]);
    // What both saw is tried again once; to the later one it is not dead any more.
    expect(both.flatMap(({ retried }) => retried).toSorted()).toEqual(
      [idOf('ann', 'webhook'), idOf('gus', 'webhook')].toSorted(),
    );
    const skipped = both.flatMap((one) => one.skipped).filter((one) => one.reason !== 'not_dead');
    expect(new Map(skipped.map(({ id, reason }) => [id, reason]))).toEqual(
      new Map([
        [idOf('bob', 'webhook'), 'read'],
        [idOf('cyd', 'webhook'), 'archived'],
        [idOf('dan', 'webhook'), 'expired'],
        [idOf('eve', 'webhook'), 'gone'],
        [idOf('fay', 'webhook'), 'unwanted'],
      ]),
    );
    expect(skipped).toHaveLength(5);
    await vi.waitFor(async () => {
      clock.advance(100);
      const { escalations } = await inbox.deliveryState(ofAnn);
      expect(escalations).toMatchObject([
        { target: 'email', state: 'dead', attempts: 1 },
        { target: 'webhook', state: 'delivered', attempts: 1, lastError: null },
      ]);
    }, patience);
    expect(webhook.taken).toMatchObject([{ id: idOf('ann', 'webhook'), user: 'ann', attempt: 1 }]);
    expect((await inbox.deadLetters()).items).toEqual(byMail.items);

    clock.set(clock.now() + hour);
    await vi.waitFor(() => {
      clock.advance(100);
      expect(webhook.taken.map(({ user }) => user)).toEqual(['ann', 'gus']);
    }, patience);

    // Still broken: given up once more, under the same id.
    const ids = [idOf('ann', 'email'), idOf('ann', 'webhook'), 'unknown', 'unknown'];
    expect(await inbox.retryDeadLetters({ ids })).toEqual({
      retried: [idOf('ann', 'email')],
      skipped: [{ id: idOf('ann', 'webhook'), reason: 'not_dead' }],
      notFound: ['unknown'],
      nextCursor: null,
    });
    await vi.waitFor(async () => {
      clock.advance(100);
      const newest = (await inbox.deadLetters({ target: 'email' })).items.find(
        ({ user }) => user === 'ann',
      );
      expect(newest).toMatchObject({ id: idOf('ann', 'email'), attempts: 1 });
      expect(newest?.givenUpAt).toBeGreaterThan(expiresAt);
    }, patience);
  });

  test('are tried again up to 500 at a time, and stay as they are where the target is gone', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database, {
      categories: { '*': { email: true } },
      escalation: { email: new Receiver() },
    });
    const { inbox, store } = fixture;
    await inbox.send({ to: { user: 'ann' }, category: 'a', title: 'x' });
    const ofAnn = (await inbox.list('ann')).items[0]!.id;
    const dead = (target: DeadLetter['target'], notification: string) => ({
      id: store.ids.next(),
      notification_id: notification,
      user_id: 'ann',
      target,
      state: 'dead' as const,
      attempts: 8,
      next_attempt_at: 0,
      created_at: 0,
      finished_at: 1,
      last_error: 'away',
    });
    const letters = [
      dead('webhook', ofAnn),
      ...Array.from({ length: 600 }, (_, index) => dead('email', `deleted ${index}`)),
    ];
    await store.transaction((trx) => trx.insertInto('inbox_escalations').values(letters).execute());
    const first = await inbox.retryDeadLetters();
    const newestFirst = letters.map(({ id }) => id).toReversed();
    expect(first.retried).toEqual([]);
    expect(first.skipped).toEqual(newestFirst.slice(0, 500).map((id) => ({ id, reason: 'gone' })));
    expect(first.nextCursor).toBe(newestFirst[499]);
    const second = await inbox.retryDeadLetters({ cursor: first.nextCursor! });
    expect(second.skipped).toHaveLength(101);
    expect(second.skipped.at(-1)).toEqual({ id: letters[0]!.id, reason: 'not_configured' });
    expect(second.nextCursor).toBeNull();
    expect((await inbox.deadLetters()).items).toEqual([
      {
        id: letters[0]!.id,
        notificationId: ofAnn,
        user: 'ann',
        target: 'webhook',
        attempts: 8,
        lastError: 'away',
        createdAt: 0,
        givenUpAt: 1,
      },
    ]);
    for (const [message, refused] of [
      [/^ids must be 1 to 500/, () => inbox.retryDeadLetters({ ids: [] })],
      [/^ids must stand alone/, () => inbox.retryDeadLetters({ ids: ['a'], target: 'email' })],
      [/^cursor must be/, () => inbox.retryDeadLetters({ cursor: 'zzz' })],
      [/^cursor must be/, () => inbox.deadLetters({ cursor: 'zzz' })],
      [/^limit must be 1 to 100/, () => inbox.deadLetters({ limit: 101 })],
    ] as const) {
      await expect(refused()).rejects.toThrow(message);
    }
  });
});
