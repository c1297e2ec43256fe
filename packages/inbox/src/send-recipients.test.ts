import { testBackends, ManualClock } from '@holdfast/store/testing';
import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import { FanOut } from './fan-out.ts';
import { Mailboxes } from './mailbox.ts';
import { settingsOf } from './options.ts';
import { PreferenceBook } from './preferences.ts';
import { Sends } from './sends.ts';
import { openInbox, type InboxFixture, patience } from './testing/inbox-fixture.ts';

const day = 86_400_000;

/** Sends that go on when the test says so. */
function stepByStep({ store, broker }: InboxFixture): Sends {
  const settings = settingsOf({ store, position: broker.position });
  const mailboxes = new Mailboxes(store, settings);
  const preferences = new PreferenceBook(store, settings, mailboxes);
  const fanOut = new FanOut({ mailboxes, preferences }, { store, settings });
  return new Sends({ mailboxes, fanOut }, { store, wakeWorker: () => {} });
}

/** Recipients that are stored, of all sends. */
async function countRecipients({ store }: InboxFixture): Promise<number | undefined> {
  const { rows } = await store.read((db) =>
    sql<{ count: number }>`select count(*) as count from inbox_send_recipients`.execute(db),
  );
  return rows[0]?.count;
}

async function* users(count: number): AsyncGenerator<string> {
  await Promise.resolve();
  for (let index = 0; index < count; index += 1) yield `u${index}`;
}

describe.each(testBackends)('the recipients of a list on $name', (backend) => {
  test('are forgotten with the batch that serves them', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database, { clock: new ManualClock() });
    const sends = stepByStep(fixture);
    const other = await sends.send({ to: { users: users(3) }, category: 'a', title: 'other' });
    const { id } = await sends.send({ to: { users: users(1200) }, category: 'a', title: 'x' });
    const left: (number | undefined)[] = [];
    let hasMore = true;
    while (hasMore) {
      left.push(await countRecipients(fixture));
      hasMore = await sends.continue(id);
    }
    expect(left).toEqual([1203, 703, 203, 3]);
    expect(await sends.status(id)).toMatchObject({
      state: 'done',
      recipients: 1200,
      created: 1200,
    });
    expect(await sends.status(other.id)).toMatchObject({ state: 'running', recipients: 3 });
  });

  test('are forgotten in batches by a cancel; what a broken one leaves, by the next or in time', async () => {
    await using database = await backend.create();
    const clock = new ManualClock();
    await using fixture = await openInbox(database, { clock });
    const { store } = fixture;
    const sends = stepByStep(fixture);
    const [first, second] = [
      await sends.send({ to: { users: users(10_500) }, category: 'a', title: 'x' }),
      await sends.send({ to: { users: users(10_500) }, category: 'a', title: 'y' }),
    ];
    const transaction = store.transaction.bind(store);
    const dying = vi.spyOn(store, 'transaction');
    for (const { id } of [first, second]) {
      // The first says that it is cancelled, the second forgets a batch.
      dying.mockImplementationOnce(transaction).mockImplementationOnce(transaction);
      dying.mockRejectedValueOnce(new Error('killed'));
      await expect(sends.cancel(id)).rejects.toThrow('killed');
    }
    dying.mockRestore();
    expect(await countRecipients(fixture)).toBe(2 * 5500);
    expect(await sends.cancel(first.id)).toMatchObject({ state: 'cancelled', created: 0 });
    expect(await countRecipients(fixture)).toBe(5500);
    clock.set(clock.now() + 8 * day);
    const deleted = () =>
      store.retention.states.find(({ name }) => name === 'finished sends')?.deleted;
    await vi.waitFor(async () => {
      clock.advance(1000);
      expect(await countRecipients(fixture)).toBe(0);
      expect(deleted()).toBeGreaterThanOrEqual(5502);
    }, patience);
    await expect(sends.status(second.id)).rejects.toMatchObject({ code: 'inbox_not_found' });
  });
});
