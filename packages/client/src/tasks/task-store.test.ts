import type { TaskDetails, TaskEvent, TaskView } from '@holdfast/protocol/tasks';
import { expect, onTestFinished, test } from 'vitest';
import type { Client } from '../client.ts';
import { ClientError } from '../client-error.ts';
import { type ConnectionState, idleState } from '../connection-state.ts';
import type { Environment } from '../environment.ts';
import type { Subscription, SubscriptionOptions, SubscriptionState } from '../subscription.ts';
import type { UserApi, UserApiCall } from '../user-api.ts';
import { createTaskStore, type TaskStoreOptions } from './task-store.ts';

/** A clock that the test moves. */
function manualEnvironment() {
  const timers = new Set<{ at: number; action: () => void }>();
  let now = 5_000_000;
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const environment: Environment = {
    now: () => now,
    random: () => 0.5,
    after: (delayMs, action) => {
      const timer = { at: now + delayMs, action };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    isOnline: () => true,
    isHidden: () => false,
    onSignal: () => () => undefined,
  };
  return {
    environment,
    settle,
    timers,
    jump: (ms: number) => {
      now += ms;
    },
    advance: async (ms: number) => {
      const until = now + ms;
      for (;;) {
        await settle();
        const [next] = [...timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.action();
      }
      now = until;
    },
  };
}

/** A connection whose events and losses the test makes. */
function scriptedClient() {
  const listeners = new Set<() => void>();
  const refused = new Set<string>();
  const channels = new Map<string, { options: SubscriptionOptions; state: SubscriptionState }>();
  let state: ConnectionState = { ...idleState(0), status: 'connected' };
  const client = {
    get state() {
      return state;
    },
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    subscribe: (channel: string, options: SubscriptionOptions = {}) => {
      const entry = {
        options,
        state: {
          status: 'subscribed',
          position: options.since,
          // Nothing is missed when it continues a position.
          recovered: options.since === undefined ? undefined : true,
          problem: undefined,
        } as SubscriptionState,
      };
      channels.set(channel, entry);
      return {
        channel,
        get state() {
          return entry.state;
        },
        onChange: (listener: () => void) => {
          if (refused.has(channel)) {
            const problem = { code: 103, message: 'permission denied' };
            entry.state = { ...entry.state, status: 'unsubscribed', problem };
            queueMicrotask(listener);
          }
          return () => undefined;
        },
        publish: () => Promise.resolve(),
        close: () => void channels.delete(channel),
      } satisfies Subscription;
    },
  } as unknown as Client;
  return {
    client,
    channels,
    refused,
    publish: (channel: string, event: TaskEvent) =>
      channels.get(channel)?.options.onPublication?.({ channel, data: event }),
    setStatus: (status: ConnectionState['status']) => {
      state = { ...state, status };
      for (const listener of listeners) listener();
    },
  };
}

/** The server's clock is an hour ahead of the page's. */
const serverNow = (environment: Environment): number => environment.now() + 3_600_000;

function setUp(options: Partial<TaskStoreOptions> = {}) {
  const time = manualEnvironment();
  const connection = scriptedClient();
  const calls: UserApiCall[] = [];
  let answer: (call: UserApiCall) => unknown = () => {
    throw new ClientError('outcome_unknown', 'the server could not be reached');
  };
  const api: UserApi = {
    url: 'http://server',
    request: async (call) => {
      calls.push(call);
      return answer(call);
    },
    identity: async () => 'eve',
  };
  const store = createTaskStore({
    client: connection.client,
    api,
    environment: time.environment,
    ...options,
  });
  onTestFinished(() => store.close());
  const view = (changes: Partial<TaskView> = {}): TaskView & TaskDetails => ({
    ...someTask,
    now: serverNow(time.environment),
    expiresAt: serverNow(time.environment) + 30_000,
    ...changes,
  });
  const answerWith = (make: (call: UserApiCall) => unknown): void => {
    answer = make;
  };
  const answerTask = (changes: Partial<TaskView> = {}): void =>
    answerWith(() => ({
      task: view(changes),
      channel: 'task:7#eve',
      position: { offset: 1, epoch: 'e' },
    }));
  return { ...time, ...connection, store, calls, view, answerWith, answerTask };
}

const someTask: TaskView & TaskDetails = {
  id: '7',
  kind: 'report',
  owner: 'eve',
  status: 'running',
  isOver: false,
  reason: null,
  since: 0,
  attempt: 1,
  maxAttempts: 3,
  progress: 0.2,
  message: null,
  steps: null,
  remainingMs: null,
  error: null,
  children: { total: 0, open: 0, failed: 0, partial: 0 },
  output: { seq: 0, bytes: 0, refused: 0 },
  isCancelRequested: false,
  createdAt: 0,
  availableAt: 0,
  startedAt: 0,
  endedAt: null,
  schedule: null,
  source: null,
  version: 1,
  now: 0,
  expiresAt: null,
  payload: null,
  result: null,
  history: [],
  parentIds: [],
  childIds: [],
};

const unreachable = () => {
  throw new ClientError('outcome_unknown', 'the server could not be reached');
};

test('a task is read, followed by its events, and read once more when it is over', async () => {
  const { store, answerTask, view, publish, settle, calls } = setUp();
  answerTask();
  const watch = store.watchTask('7');
  expect(watch.getSnapshot()).toEqual({
    status: 'loading',
    problem: undefined,
    task: undefined,
    isDeleted: false,
  });
  const seen: unknown[] = [];
  const stop = watch.subscribe(() => seen.push(watch.getSnapshot().task?.progress));
  await settle();
  const reads = calls.length;
  expect(watch.getSnapshot()).toMatchObject({ status: 'live', task: { progress: 0.2 } });
  publish('task:7#eve', {
    type: 'task',
    changes: ['progress'],
    task: view({ version: 3, progress: 0.6 }),
  });
  publish('task:7#eve', {
    type: 'task',
    changes: ['progress'],
    task: view({ version: 2, progress: 0.4 }),
  });
  expect(watch.getSnapshot().task?.progress).toBe(0.6);
  expect(calls).toHaveLength(reads);
  const over = { version: 4, status: 'completed', isOver: true, expiresAt: null } as const;
  answerTask({ ...over, result: { rows: 3 } } as Partial<TaskView>);
  publish('task:7#eve', { type: 'task', changes: ['completed'], task: view(over) });
  expect(watch.getSnapshot().task).toMatchObject({ status: 'completed', result: null });
  await settle();
  expect(watch.getSnapshot().task).toMatchObject({ status: 'completed', result: { rows: 3 } });
  expect(calls).toHaveLength(reads + 1);
  publish('task:7#eve', { type: 'deleted', id: '7' });
  expect(watch.getSnapshot().isDeleted).toBe(true);
  stop();
  expect(seen).toContain(0.6);
});

test('with the connection and the server dead, it stops looking alive at its end by the clock of the server', async () => {
  const { store, answerTask, answerWith, advance, settle, setStatus } = setUp();
  answerTask();
  const watch = store.watchTask('7');
  watch.subscribe(() => undefined);
  await settle();
  setStatus('waiting');
  answerWith(unreachable);
  await advance(29_999);
  expect(watch.getSnapshot()).toMatchObject({
    status: 'stale',
    task: { status: 'running', isOverdue: false },
  });
  await advance(2);
  expect(watch.getSnapshot()).toMatchObject({
    status: 'stale',
    task: { status: 'lost', reason: 'no_news', isOverdue: true },
  });
  // The server is back, the socket is not.
  answerTask({ version: 9, progress: 0.9 });
  await advance(25_000);
  expect(watch.getSnapshot()).toMatchObject({
    task: { status: 'running', isOverdue: false, progress: 0.9 },
  });
});

test('without a socket a task is read in intervals until it is over', async () => {
  const { store, answerTask, advance, settle, setStatus, calls } = setUp({ pollMs: 5000 });
  answerTask();
  const watch = store.watchTask('7');
  watch.subscribe(() => undefined);
  await settle();
  setStatus('waiting');
  const before = calls.length;
  answerTask({ version: 2, progress: 0.7 });
  await advance(5001);
  expect(watch.getSnapshot().task?.progress).toBe(0.7);
  await advance(20_000);
  expect(calls.length - before).toBeGreaterThanOrEqual(5);
  expect(calls.length - before).toBeLessThanOrEqual(7);
  answerTask({ version: 3, status: 'failed', isOver: true, expiresAt: null });
  await advance(5001);
  const after = calls.length;
  await advance(60_000);
  expect(calls).toHaveLength(after);
});

test('who may read a task but not follow it reads it in intervals', async () => {
  const { store, answerTask, advance, settle, refused } = setUp({ pollMs: 5000 });
  refused.add('task:7#eve');
  answerTask();
  const watch = store.watchTask('7');
  const seen = new Set<string>();
  watch.subscribe(() => seen.add(watch.getSnapshot().status));
  await settle();
  expect(watch.getSnapshot()).toMatchObject({
    status: 'polled',
    task: { status: 'running' },
    problem: { code: 'refused' },
  });
  seen.clear();
  answerTask({ version: 2, progress: 0.7 });
  await advance(5100);
  expect(watch.getSnapshot()).toMatchObject({ status: 'polled', task: { progress: 0.7 } });
  expect([...seen]).toEqual(['polled']);
});

test('what the server itself calls lost is read again each second, and no faster', async () => {
  const { store, answerWith, view, advance, settle, calls, environment } = setUp();
  answerWith(() => ({
    task: view({ status: 'lost', expiresAt: serverNow(environment) }),
    channel: 'task:7#eve',
    position: null,
  }));
  const watch = store.watchTask('7');
  watch.subscribe(() => undefined);
  await settle();
  await advance(10_000);
  expect(calls.length).toBeGreaterThanOrEqual(9);
  expect(calls.length).toBeLessThanOrEqual(14);
});

test('a clock that was set does not end what goes on for longer than one question', async () => {
  const { store, answerWith, view, advance, settle, environment, jump } = setUp();
  let serverIsAheadMs = 3_600_000;
  let version = 1;
  answerWith(() => {
    const now = environment.now() + serverIsAheadMs;
    version += 1;
    const task = view({ now, expiresAt: now + 30_000, version });
    return { task, channel: 'task:7#eve', position: { offset: 1, epoch: 'e' } };
  });
  const watch = store.watchTask('7');
  watch.subscribe(() => undefined);
  await settle();
  // The page's clock is set a day ahead; the server's is not.
  jump(86_400_000);
  serverIsAheadMs -= 86_400_000;
  await advance(60_000);
  expect(watch.getSnapshot().task).toMatchObject({ status: 'running', isOverdue: false });
});

test('a task that is somebody else’s is not shown and not asked for again', async () => {
  const { store, answerWith, advance, settle, calls } = setUp();
  answerWith(() => {
    throw new ClientError('refused', 'there is no task 7', {
      status: 404,
      reason: 'task_not_found',
      temporary: false,
    });
  });
  const watch = store.watchTask('7');
  watch.subscribe(() => undefined);
  await settle();
  expect(watch.getSnapshot()).toMatchObject({
    status: 'failed',
    task: undefined,
    problem: { details: { reason: 'task_not_found' } },
  });
  await advance(60_000);
  expect(calls).toHaveLength(1);
});

test('cancel is shown at once wherever the task is, and taken back when it is refused', async () => {
  const { store, view, answerWith, settle } = setUp();
  const answerAll = (cancel: () => unknown) =>
    answerWith(({ path, method }) => {
      if (method === 'POST') return cancel();
      const rest = {
        channel: path === '/api/tasks/me' ? 'tasks:#eve' : 'task:7#eve',
        position: null,
      };
      return path === '/api/tasks/me'
        ? { items: [view()], nextCursor: null, now: view().now, ...rest }
        : { task: view(), ...rest };
    });
  const answered = Promise.withResolvers<unknown>();
  answerAll(() => answered.promise);
  const watch = store.watchTask('7');
  const list = store.watchTasks();
  watch.subscribe(() => undefined);
  list.subscribe(() => undefined);
  await settle();
  await settle();
  const cancelled = store.cancel('7');
  expect(watch.getSnapshot().task).toMatchObject({ status: 'cancelling', isCancelRequested: true });
  expect(list.getSnapshot().items).toMatchObject([{ status: 'cancelling' }]);
  answered.reject(new ClientError('refused', 'no', { status: 409, reason: 'x', temporary: false }));
  await expect(cancelled).rejects.toThrow('no');
  await settle();
  expect(watch.getSnapshot().task).toMatchObject({ status: 'running' });
  expect(list.getSnapshot().items).toMatchObject([{ status: 'running' }]);
});

test('a list takes in what begins, keeps its order, and lets go what its filter leaves out', async () => {
  const { store, view, answerWith, settle, publish } = setUp();
  answerWith(() => ({
    items: [view({ id: '5' }), view({ id: '3' })],
    nextCursor: '3',
    now: view().now,
    channel: 'tasks:#eve',
    position: null,
  }));
  const list = store.watchTasks({ phase: 'live', kind: 'report', pageSize: 2 });
  list.subscribe(() => undefined);
  await settle();
  const ids = () => list.getSnapshot().items.map(({ id }) => id);
  const tell = (changes: Partial<TaskView>) =>
    publish('tasks:#eve', { type: 'task', changes: [], task: view({ version: 2, ...changes }) });
  tell({ id: '6' });
  tell({ id: '4' });
  tell({ id: '9', kind: 'other' });
  // It is on a page that was not read.
  tell({ id: '1' });
  expect(ids()).toEqual(['6', '5', '4', '3']);
  expect(list.getSnapshot()).toMatchObject({ isListed: true, hasMore: true });
  const before = list.getSnapshot().items;
  tell({ id: '5', version: 1 });
  expect(list.getSnapshot().items).toBe(before);
  tell({ id: '5', isOver: true, status: 'completed', expiresAt: null });
  publish('tasks:#eve', { type: 'deleted', id: '6' });
  expect(ids()).toEqual(['4', '3']);
  answerWith(() => ({ items: [view({ id: '1' })], nextCursor: null, now: view().now }));
  await list.loadMore();
  expect(ids()).toEqual(['4', '3', '1']);
  expect(list.getSnapshot().hasMore).toBe(false);
});

test('output is read from the beginning, joined to what comes, and read again where a piece is missing', async () => {
  const { store, view, answerWith, settle, advance, publish, calls } = setUp();
  const stream = Array.from({ length: 8 }, (_, index) => ({
    seq: index + 1,
    attempt: 1,
    type: 'token',
    data: `${index + 1} `,
    at: 0,
  }));
  let written = 3;
  answerWith(({ query = {} }) => {
    const after = Number(query['after']);
    const chunks = stream
      .slice(0, written)
      .filter(({ seq }) => seq > after)
      .slice(0, 2);
    return {
      chunks,
      seq: written,
      refused: 0,
      isOver: false,
      channel: 'task:7#eve',
      position: null,
    };
  });
  const whole = store.watchOutput('7');
  const late = store.watchOutput('7', { from: 'now' });
  const small = store.watchOutput('7', { maxSize: 6 });
  for (const watch of [whole, late, small]) watch.subscribe(() => undefined);
  await advance(2000);
  expect(whole.getSnapshot().text).toBe('1 2 3 ');
  expect(late.getSnapshot().text).toBe('');
  written = 5;
  for (const output of [whole, late, small]) expect(output.getSnapshot().status).toBe('live');
  const tell = (chunks: typeof stream) =>
    publish('task:7#eve', { type: 'output', id: '7', chunks });
  // The fake keeps one subscription of a channel: the last one, of the small one.
  tell(stream.slice(2, 4));
  expect(small.getSnapshot()).toMatchObject({ text: '2 3 4 ', dropped: 1 });
  written = 7;
  const reads = calls.length;
  tell(stream.slice(6, 7));
  await settle();
  expect(calls.length).toBeGreaterThan(reads);
  expect(small.getSnapshot()).toMatchObject({ text: '5 6 7 ', dropped: 4 });
  publish('task:7#eve', {
    type: 'task',
    changes: ['completed'],
    task: view({ isOver: true, output: { seq: 7, bytes: 14, refused: 2 } }),
  });
  expect(small.getSnapshot()).toMatchObject({ isOver: true, refused: 2 });
});

test('a request is sent with one key until there is an answer, and no longer than a minute', async () => {
  const { store, view, answerWith, advance, calls } = setUp();
  const asked = store.request({ kind: 'report' });
  await advance(3000);
  answerWith(() => ({ id: '7', outcome: 'started', task: view() }));
  await advance(30_000);
  expect(await asked).toMatchObject({ id: '7' });
  const keys = new Set(
    calls.map(({ body }) => (body as { idempotencyKey: string }).idempotencyKey),
  );
  expect([keys.size, calls.length > 1]).toEqual([1, true]);
  answerWith(unreachable);
  const refused = store.request({ kind: 'report' }).catch((error: unknown) => error);
  await advance(120_000);
  expect(await refused).toMatchObject({ code: 'outcome_unknown' });
});

test('what nobody watches any more is not read and holds no timer; what is watched twice is read once', async () => {
  const { store, answerTask, settle, calls, channels, timers, advance } = setUp();
  answerTask();
  const stops = [store.watchTask('7'), store.watchTask('7')].map((watch) =>
    watch.subscribe(() => undefined),
  );
  await settle();
  const reads = calls.length;
  stops[0]?.();
  await advance(1);
  expect(channels.size).toBe(1);
  // Unmounted and mounted again, as React's StrictMode does.
  stops[1]?.();
  const again = store.watchTask('7').subscribe(() => undefined);
  await advance(1);
  expect([calls.length, channels.size]).toEqual([reads, 1]);
  expect(store.watchTask('7').getSnapshot().task?.id).toBe('7');
  again();
  await advance(1);
  expect([channels.size, timers.size]).toEqual([0, 0]);
  expect(store.watchTask('7').getSnapshot().status).toBe('loading');
});
