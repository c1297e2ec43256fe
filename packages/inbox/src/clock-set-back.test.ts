import { ManualClock, testBackends } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import { eventsOf, openInbox, patience, untilLeader } from './testing/inbox-fixture.ts';

const hour = 3_600_000;

describe.each(testBackends)('on $name the clock is set back by an hour', (backend) => {
  test('while a long send is taken in: it goes out all the same, once and in order', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using fixture = await openInbox(database, { clock });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    await inbox.send({ to: { user: 'u7' }, category: 'a', title: 'before' });
    async function* users(): AsyncGenerator<string> {
      for (let index = 0; index < 2500; index += 1) {
        if (index === 1700) clock.set(clock.now() - hour);
        yield `u${index}`;
      }
    }
    const request = { category: 'a', title: 'to all', idempotencyKey: 'all' } as const;
    const { id } = await inbox.send({ to: { users: users() }, ...request });
    await vi.waitFor(async () => {
      expect(await inbox.sendStatus(id)).toMatchObject({ state: 'done', created: 2500 });
    }, patience);
    await inbox.send({ to: { user: 'u7' }, category: 'a', title: 'after' });
    const again = await inbox.send({ to: { users: users() }, ...request });
    expect(again).toMatchObject({ id, repeated: true });
    const { items } = await inbox.list('u7');
    expect(items.map(({ title }) => title)).toEqual(['after', 'to all', 'before']);
    expect(new Set(items.map((item) => item.id)).size).toBe(3);
    const events = await eventsOf(fixture, 'u7');
    expect(events.map(({ version }) => version)).toEqual([1, 2, 3]);
    expect(await inbox.list('u2499')).toMatchObject({ items: [{ title: 'to all' }] });
    expect(fixture.problems).toEqual([]);
  });

  test('between two attempts to carry a notification on: what comes later is not held up, and each comes once', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    const taken: string[] = [];
    let isAway = true;
    await using fixture = await openInbox(database, {
      clock,
      categories: { '*': { webhook: true, escalateAfterMs: 0 } },
      escalation: {
        webhook: {
          deliver({ user }) {
            if (isAway) return Promise.reject(new Error('away'));
            taken.push(user);
            return Promise.resolve();
          },
        },
      },
    });
    const { inbox, store } = fixture;
    await untilLeader(store, clock);
    const attemptsFor = async (user: string): Promise<unknown> => {
      const { items } = await inbox.list(user);
      const { escalations } = await inbox.deliveryState(items[0]!.id);
      return escalations.map(({ attempts, state }) => [attempts, state]);
    };
    await inbox.send({ to: { user: 'before' }, category: 'a', title: 'x' });
    await vi.waitFor(async () => {
      clock.advance(100);
      expect(await attemptsFor('before')).toEqual([[1, 'pending']]);
    }, patience);
    clock.set(clock.now() - hour);
    isAway = false;
    await inbox.send({ to: { user: 'after' }, category: 'a', title: 'x' });
    await vi.waitFor(async () => {
      clock.advance(100);
      expect(await attemptsFor('after')).toEqual([[1, 'delivered']]);
    }, patience);
    // What waits for a time waits for it by the clock.
    clock.advance(hour);
    await vi.waitFor(async () => {
      clock.advance(1000);
      expect(await attemptsFor('before')).toEqual([[2, 'delivered']]);
    }, patience);
    clock.advance(2 * hour);
    await inbox.send({ to: { user: 'last' }, category: 'a', title: 'x' });
    await vi.waitFor(async () => {
      clock.advance(100);
      expect(await attemptsFor('last')).toEqual([[1, 'delivered']]);
    }, patience);
    expect(taken).toEqual(['after', 'before', 'last']);
  });
});
