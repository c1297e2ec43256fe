import { createClient } from '@holdfast/client';
import {
  createInboxStore,
  createUserApi,
  mutedForGood,
  type InboxEvent,
  type InboxStore,
  type InboxStoreOptions,
  type Notification,
  type PreferencesChange,
  type UserSettings,
} from '@holdfast/client/inbox';
import type {
  InboxEvent as ServerEvent,
  Notification as ServerNotification,
  PreferencesChange as ServerChange,
  UserSettings as ServerSettings,
} from '@holdfast/inbox';
import { testBackends } from '@holdfast/store/testing';
import { expect, expectTypeOf, onTestFinished, test, vi } from 'vitest';
import { type InboxApp, startInboxApp, tokenOf } from './inbox-app.ts';

const [sqlite] = testBackends;
const patient = { timeout: 60_000, interval: 20 };
const backoff = { minDelayMs: 20, maxDelayMs: 200, stableMs: 10_000 };

interface Device {
  readonly store: InboxStore;
  /** What the application was told of, in order. */
  readonly heard: Notification[];
}

function openDevice(
  app: Pick<InboxApp, 'url'>,
  user: string,
  options: Partial<InboxStoreOptions> = {},
): Device {
  const getToken = () => tokenOf(user);
  const client = createClient({ url: app.url, getToken, backoff });
  client.connect();
  const api = createUserApi({ url: app.url, getToken, timeoutMs: 5_000 });
  const store = createInboxStore({ client, api, backoff, device: crypto.randomUUID(), ...options });
  const heard: Notification[] = [];
  store.onNotification((notification) => heard.push(notification));
  onTestFinished(() => {
    store.close();
    client.close();
  });
  return { store, heard };
}

const live = (device: Device) =>
  vi.waitFor(() => expect(device.store.getSnapshot().status).toBe('live'), patient);
const titles = (device: Device) => device.store.getSnapshot().items.map(({ title }) => title);

async function newDatabase(): Promise<string> {
  const database = await sqlite!.create();
  onTestFinished(() => database[Symbol.asyncDispose]());
  return database.url;
}

test('a snapshot and what follows it, on two devices, and another user sees nothing of it', async () => {
  await using app = await startInboxApp({ url: await newDatabase() });
  const send = (title: string) =>
    app.inbox.send({ to: { user: 'ann' }, category: 'a', title }).then(() => undefined);
  await send('before');
  const phone = openDevice(app, 'ann');
  const laptop = openDevice(app, 'ann');
  const other = openDevice(app, 'bob');
  for (const device of [phone, laptop, other]) await live(device);
  await send('after');
  for (const device of [phone, laptop]) {
    await vi.waitFor(() => expect(titles(device)).toEqual(['after', 'before']), patient);
    expect(device.store.getSnapshot().unread).toEqual({ total: 2, byCategory: { a: 2 } });
    await vi.waitFor(() => expect(device.heard.map(({ title }) => title)).toHaveLength(2), patient);
  }
  expect(other.store.getSnapshot()).toMatchObject({ items: [], unread: { total: 0 } });
  expect(other.heard).toEqual([]);
});

test('a change whose answer is lost succeeds once it is repeated, and one of what is gone does too', async () => {
  await using app = await startInboxApp({ url: await newDatabase() });
  for (const title of ['a', 'b', 'c', 'd', 'e']) {
    await app.inbox.send({ to: { user: 'ann' }, category: 'x', title });
  }
  const device = openDevice(app, 'ann');
  const { store } = device;
  await live(device);
  const changes = ['remove', 'archive', 'markRead', 'markUnread', 'remove'] as const;
  const ids = store.getSnapshot().items.map(({ id }) => id);
  for (const [index, change] of changes.entries()) {
    app.answersToLose = 1;
    await store[change]([ids[index] ?? '']);
    expect(app.answersToLose).toBe(0);
  }
  await vi.waitFor(() => expect(titles(device)).toEqual(['c', 'b']), patient);
  // Gone a moment before the user touched it; of this tab's list it goes when it hears of it.
  const [left = '', other = ''] = store.getSnapshot().items.map(({ id }) => id);
  await app.inbox.delete('ann', [left, other]);
  await Promise.all([store.remove([left]), store.markRead([other])]);
  await expect(store.markUnread([other])).rejects.toMatchObject({
    details: { status: 404, reason: 'inbox_not_found' },
  });
  await vi.waitFor(() => expect(titles(device)).toEqual([]), patient);
  expect(store.getSnapshot()).toMatchObject({ unread: { total: 0 }, unconfirmed: 0 });
});

test('a list of hundreds is read, archived and removed at once', async () => {
  await using app = await startInboxApp({ url: await newDatabase() });
  await Promise.all(
    Array.from({ length: 600 }, (_, number) =>
      app.inbox.send({ to: { user: 'ann' }, category: 'x', title: `${number}` }),
    ),
  );
  const device = openDevice(app, 'ann', { pageSize: 100 });
  const { store } = device;
  await live(device);
  while (store.getSnapshot().hasMore) await store.loadMore();
  const ids = store.getSnapshot().items.map(({ id }) => id);
  expect(ids).toHaveLength(600);
  await store.markRead(ids);
  expect(await app.inbox.counts('ann')).toMatchObject({ total: 0 });
  await store.archive(ids);
  await store.remove(ids);
  expect(await app.inbox.get('ann', ids)).toEqual([]);
});

test('a change of settings is shown as the server will tell it, and is refused with its code', async () => {
  await using app = await startInboxApp({ url: await newDatabase() });
  const { store } = openDevice(app, 'ann');
  store.openSettings();
  await vi.waitFor(() => expect(store.getSnapshot().settings).toBeDefined(), patient);
  const other = openDevice(app, 'ann');
  other.store.openSettings();
  await live(other);
  const quietHours = { from: '22:00', to: '07:00', timeZone: 'Asia/Tokyo' };
  const changes: readonly PreferencesChange[] = [
    { categories: { ads: { inApp: false, email: true }, '*': { mutedUntil: mutedForGood } } },
    { categories: { ads: { inApp: null }, orders: { webhook: false } }, quietHours },
    {},
    { categories: { ads: null, '*': { mutedUntil: null } } },
    { quietHours: null },
  ];
  for (const change of changes) {
    const done = store.setPreferences(change);
    const shown = store.getSnapshot().settings?.preferences;
    await done;
    expect(shown).toEqual(await app.inbox.preferences('ann'));
  }
  for (const topic of ['sport', 'news', 'sport']) await store.subscribeTopic(topic);
  await store.unsubscribeTopic('sport');
  const told = () => [store, other.store].map((one) => one.getSnapshot().settings);
  const { settings } = await app.inbox.snapshot('ann', { withSettings: true });
  expect(settings?.topics).toEqual(['news']);
  await vi.waitFor(() => expect(told()).toEqual([settings, settings]), patient);

  const invalid = { code: 'refused', details: { status: 400, reason: 'inbox_invalid' } };
  const wrongHours = { ...quietHours, from: '25:00' };
  await expect(store.setPreferences({ quietHours: wrongHours })).rejects.toMatchObject(invalid);
  await expect(store.subscribeTopic('Not a name')).rejects.toMatchObject(invalid);
  await expect(store.subscribeTopic('a/../b')).rejects.toMatchObject(invalid);
  await expect(store.subscribeTopic('..')).rejects.toMatchObject({ code: 'misused' });
  expect(told()).toEqual([settings, settings]);
});

test('client and server mean the same by a notification, an event and settings', () => {
  expectTypeOf<ServerSettings>().toExtend<UserSettings>();
  expectTypeOf<ServerChange>().toEqualTypeOf<PreferencesChange>();
  expectTypeOf<ServerNotification>().toEqualTypeOf<Notification>();
  expectTypeOf<ServerEvent>().toExtend<InboxEvent>();
});
