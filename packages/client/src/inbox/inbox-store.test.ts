import type { InboxEvent, Notification } from '@holdfast/protocol/inbox';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Client } from '../client.ts';
import { idleState } from '../connection-state.ts';
import type { Subscription, SubscriptionOptions, SubscriptionState } from '../subscription.ts';
import { createUserApi } from '../user-api.ts';
import { createInboxStore } from './inbox-store.ts';

const counts = { total: 0, byCategory: {} };

function notification(id: string): Notification {
  return {
    id,
    category: 'a',
    severity: 'info',
    title: id,
    body: '',
    link: null,
    source: null,
    data: null,
    groupKey: null,
    groupCount: 1,
    createdAt: 0,
    expiresAt: null,
    readAt: null,
    archivedAt: null,
  };
}

interface Question {
  readonly path: string;
  readonly answer: (body: unknown) => void;
}

/** A store whose server answers when the test says so, and whose channel is in the test's hands. */
function setUp() {
  const questions: Question[] = [];
  let options: SubscriptionOptions<InboxEvent> | undefined;
  const state = {
    status: 'subscribed',
    position: { epoch: 'e', offset: 0 },
  } as unknown as SubscriptionState;
  const client = {
    state: { ...idleState(0), status: 'connected' },
    onChange: () => () => undefined,
    subscribe: (channel: string, wanted: typeof options) => {
      options = wanted;
      return {
        channel,
        state: { ...state, recovered: true },
        onChange: () => () => undefined,
        close: () => undefined,
      } as unknown as Subscription<InboxEvent>;
    },
  } as unknown as Client;
  const api = createUserApi({
    url: 'https://example.com',
    getToken: () => Promise.resolve('opaque'),
    fetch: (url) => {
      const path = (url as string).slice('https://example.com/api/inbox/me'.length);
      const { promise, resolve } = Promise.withResolvers<Response>();
      if (path === '/connect') return Promise.resolve(Response.json({ notifications: [] }));
      if (path === '/acknowledge') return Promise.resolve(Response.json({}));
      questions.push({ path, answer: (body) => resolve(Response.json(body)) });
      return promise;
    },
  });
  const store = createInboxStore({
    client,
    api,
    device: 'd',
    backoff: { minDelayMs: 1, maxDelayMs: 1 },
  });
  onTestFinished(() => store.close());
  const heard: string[] = [];
  store.onNotification(({ title }) => heard.push(title));
  return {
    store,
    heard,
    tell: (event: object) => options?.onPublication?.({ data: event } as never),
    returnWithout: () => options?.onSubscribed?.({ ...state, recovered: false }),
    question: async (): Promise<Question> => {
      await vi.waitFor(() => expect(questions).not.toEqual([]));
      return questions.shift()!;
    },
  };
}

const snapshotOf = (ids: readonly string[], version: number, nextCursor: string | null = null) => ({
  items: ids.map(notification),
  nextCursor,
  unread: counts,
  version,
  channel: 'inbox:#ann',
  position: { epoch: 'e', offset: version },
});

test('what came while away is told of, also when more comes while it is read', async () => {
  const { store, heard, tell, returnWithout, question } = setUp();
  (await question()).answer(snapshotOf(['1'], 1));
  await vi.waitFor(() => expect(store.getSnapshot().status).toBe('live'));
  returnWithout();
  const first = await question();
  tell({
    type: 'created',
    notification: notification('4'),
    silent: false,
    replaces: null,
    version: 4,
    unread: counts,
  });
  first.answer(snapshotOf(['3', '2', '1'], 3));
  const missed = await question();
  expect(missed.path).toContain('status=unread');
  missed.answer(snapshotOf(['3', '2', '1'], 3));
  await vi.waitFor(() => expect(store.getSnapshot().items).toHaveLength(4));
  expect(heard).toEqual(['2', '3', '4']);
});

test('a store that was closed shows nothing, and says so: the next user sees this page', async () => {
  const { store, question } = setUp();
  (await question()).answer(snapshotOf(['1'], 1));
  await vi.waitFor(() => expect(store.getSnapshot().items).toHaveLength(1));
  const shown: number[] = [];
  store.subscribe(() => shown.push(store.getSnapshot().items.length));
  store.close();
  expect(shown).toEqual([0]);
  expect(store.getSnapshot()).toBe(store.getServerSnapshot());
  expect(store.getSnapshot()).toMatchObject({ status: 'loading', items: [], unread: counts });
});

test('the list of the filter before is not shown as that of the next, however late it comes', async () => {
  const { store, question } = setUp();
  (await question()).answer(snapshotOf(['3', '2', '1'], 1));
  await vi.waitFor(() => expect(store.getSnapshot().isListed).toBe(true));
  store.setFilter({ status: 'unread' });
  const unread = await question();
  store.setFilter({ status: 'archived' });
  const shown: string[] = [];
  store.subscribe(() => {
    const { filter, items, isListed } = store.getSnapshot();
    if (isListed) shown.push(`${filter.status}: ${items.map(({ id }) => id).join(' ')}`);
  });
  unread.answer(snapshotOf(['3', '2'], 1));
  (await question()).answer(snapshotOf(['0'], 1));
  await vi.waitFor(() => expect(store.getSnapshot().isListed).toBe(true));
  expect(new Set(shown)).toEqual(new Set(['archived: 0']));
});
