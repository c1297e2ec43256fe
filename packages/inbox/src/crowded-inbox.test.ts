import type { InboxEvent } from '@holdfast/protocol/inbox';
import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test, vi } from 'vitest';
import { type InboxFixture, openInbox, patience } from './testing/inbox-fixture.ts';

vi.setConfig({ testTimeout: 30_000 });

/** The events of ann's channel once the one of this version is there. */
async function eventsUpTo(
  broker: InboxFixture['broker'],
  version: number,
): Promise<readonly InboxEvent[]> {
  await vi.waitFor(
    () => expect(broker.eventsOf('inbox:#ann').at(-1)?.version).toBe(version),
    patience,
  );
  return broker.eventsOf('inbox:#ann');
}

describe.each(testBackends)('an inbox with much in it on $name', (backend) => {
  test('the longest notifications come back from the archive together', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox, broker } = fixture;
    const longest = {
      category: 'orders',
      title: '字'.repeat(200),
      body: '字'.repeat(4000),
      link: `/${'字'.repeat(1999)}`,
      source: '字'.repeat(100),
      data: 'x'.repeat(16_000),
    };
    for (let sent = 0; sent < 5; sent += 1) await inbox.send({ to: { user: 'ann' }, ...longest });
    const ids = (await inbox.list('ann')).items.map(({ id }) => id);
    await inbox.archive('ann', ids);
    const { changed, version } = await inbox.unarchive('ann', ids);
    expect(changed.toSorted()).toEqual(ids.toSorted());
    const events = await eventsUpTo(broker, version);
    expect(events.map((event) => event.version)).toEqual(events.map((_, index) => index + 1));
    const told = events.flatMap((event) =>
      event.type === 'unarchived' ? event.notifications : [],
    );
    expect(told.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  });

  test('more categories than an event can hold: all can be read, the total is right', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database, { maxEventBytes: 16_000 });
    const { inbox, broker } = fixture;
    const nameOf = (number: number): string => `room-${number}`.padEnd(64, 'x');
    const send = (number: number): Promise<unknown> =>
      inbox.send({ to: { user: 'ann' }, category: nameOf(number), title: 'a message' });
    await Promise.all(Array.from({ length: 250 }, (_, number) => send(number)));
    await send(249);
    const { total, byCategory } = await inbox.counts('ann');
    expect(total).toBe(251);
    expect(Object.keys(byCategory)).toHaveLength(200);
    expect(byCategory[nameOf(249)]).toBe(2);
    const { changed, version, unread } = await inbox.readAll('ann');
    expect(changed).toHaveLength(251);
    expect(unread).toEqual({ total: 0, byCategory: {} });
    const events = await eventsUpTo(broker, version);
    expect(events.map((event) => event.version)).toEqual(events.map((_, index) => index + 1));
    expect(events[250]?.unread).toEqual({ total, byCategory });
  });

  test('of a group one takes the place of all, also of those that were marked as unread again', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox, broker } = fixture;
    const send = (title: string, groupKey = 'room-1'): Promise<unknown> =>
      inbox.send({ to: { user: 'ann' }, category: 'chat', title, groupKey });
    const ids: string[] = [];
    for (const title of ['a', 'b', 'c']) {
      await send(title);
      const [newest] = (await inbox.list('ann')).items;
      ids.push(newest!.id);
      await inbox.markRead('ann', [newest!.id]);
    }
    await send('elsewhere', 'room-2');
    await inbox.markUnread('ann', ids);
    expect(await fixture.store.integrityCheck()).toEqual([]);
    await Promise.all([send('d'), send('e', 'room-2')]);
    const { items } = await inbox.list('ann');
    expect(new Set(items.map(({ title, groupCount }) => `${title} ${groupCount}`))).toEqual(
      new Set(['d 4', 'e 2']),
    );
    const { version } = await inbox.snapshot('ann');
    const events = await eventsUpTo(broker, version);
    expect(events.map((event) => event.version)).toEqual(events.map((_, index) => index + 1));
    expect(events.slice(8)).toMatchObject([
      { type: 'removed', ids: ids.slice(0, 2), reason: 'replaced', unread: { total: 2 } },
      { type: 'created', notification: { title: 'd' }, replaces: ids[2], unread: { total: 2 } },
      { type: 'created', notification: { title: 'e' }, unread: { total: 2 } },
    ]);
    expect(await inbox.counts('ann')).toEqual(events.at(-1)?.unread);
  });

  test('a user who names ever new devices makes the store remember a hundred', async () => {
    await using database = await backend.create();
    await using fixture = await openInbox(database);
    const { inbox } = fixture;
    await inbox.send({ to: { user: 'ann' }, category: 'a', title: 'a' });
    const [{ id } = { id: '' }] = (await inbox.list('ann')).items;
    await inbox.acknowledge('ann', 'phone', [id]);
    await Promise.all(
      Array.from({ length: 110 }, (_, number) => inbox.connect('ann', `device-${number}`)),
    );
    await inbox.connect('ann', 'one more');
    expect((await inbox.deliveryState(id)).devices).toHaveLength(100);
    await inbox.acknowledge('ann', 'another', [id]);
    const { devices } = await inbox.deliveryState(id);
    expect(devices).toHaveLength(100);
    expect(devices).toContainEqual(expect.objectContaining({ device: 'another' }));
  });
});
