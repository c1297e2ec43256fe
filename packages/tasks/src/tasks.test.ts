import type { StoreTransaction } from '@holdfast/store';
import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test } from 'vitest';
import type { ClaimedTask } from './claim.ts';
import type { TaskTables } from './task-module.ts';
import { codeOf, openBench } from './testing/bench.ts';

describe.each(testBackends)('tasks on $name', (backend) => {
  test('a task is requested, claimed, reported on and completed, each with its event', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const { id, outcome } = await tasks.request({ kind: 'plain', payload: { a: 1 }, owner: 'eve' });
    expect(outcome).toBe('started');
    expect(await tasks.get(id)).toMatchObject({ status: 'pending', payload: { a: 1 }, version: 1 });
    const task = await bench.claimOne('plain');
    expect(task).toMatchObject({ id, payload: { a: 1 }, attempt: 1, owner: 'eve' });
    await tasks.progress(task, {
      steps: [{ name: 'get', weight: 3 }, { name: 'put' }],
      step: 'get',
    });
    await tasks.progress(task, { fraction: 0.5, message: 'half' });
    expect(await tasks.get(id)).toMatchObject({
      status: 'running',
      progress: 0.375,
      message: 'half',
    });
    await tasks.complete(task, { rows: 7 });
    expect(await tasks.get(id)).toMatchObject({
      status: 'completed',
      isOver: true,
      progress: 1,
      result: { rows: 7 },
      expiresAt: null,
    });
    const events = await bench.events();
    const own = events.filter(({ channel }) => channel === `task:${id}#eve`);
    expect(own.map(({ event }) => event.type === 'task' && event.changes[0])).toEqual([
      'pending',
      'started',
      'progress',
      'progress',
      'completed',
    ]);
    expect(own.map(({ event }) => event.type === 'task' && event.task.version)).toEqual([
      1, 2, 3, 4, 5,
    ]);
    expect(events.filter(({ channel }) => channel === 'tasks:#eve')).toHaveLength(5);
  });

  test('an expired lease is lost when read, retried when swept, and its zombie is refused', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const { id } = await tasks.request({ kind: 'plain' });
    const zombie = await bench.claimOne('plain');
    clock.advance(29_999);
    expect((await tasks.get(id)).status).toBe('running');
    clock.advance(1);
    expect(await tasks.get(id)).toMatchObject({ status: 'lost', reason: 'lease_expired' });
    expect(await codeOf(tasks.complete(zombie))).toBe('task_fenced');
    expect(await tasks.sweep()).toBe(1);
    expect(await tasks.get(id)).toMatchObject({ status: 'retrying', attempt: 1 });
    expect(await tasks.claim({ kinds: ['plain'], worker: 'w' })).toEqual([]);
    clock.advance(500);
    const second = await bench.claimOne('plain');
    expect(second).toMatchObject({ id, attempt: 2 });
    for (const write of [
      () => tasks.heartbeat(zombie),
      () => tasks.progress(zombie, { fraction: 1 }),
      () => tasks.output(zombie, [{ data: 'x' }]),
      () => tasks.complete(zombie),
      () => tasks.fail(zombie, { message: 'x' }),
      () => tasks.request({ kind: 'plain', parent: zombie }),
    ]) {
      expect(await codeOf(write())).toBe('task_fenced');
    }
    await tasks.complete(second);
    const done = await tasks.get(id);
    expect(done).toMatchObject({ status: 'completed', attempt: 2 });
    expect(done.history).toMatchObject([
      { attempt: 1, reason: 'lease_expired', worker: 'w' },
      { attempt: 2, reason: 'completed' },
    ]);
    expect(await codeOf(tasks.complete(second))).toBe('task_fenced');
  });

  test('attempts end, and the last error stays', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const { id } = await tasks.request({ kind: 'plain' });
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await tasks.fail(await bench.claimOne('plain'), { message: `no ${attempt}` });
      clock.advance(300_000);
      await tasks.noteWorker({ id: 'w', kinds: ['plain'] });
    }
    const failed = await tasks.get(id);
    expect(failed).toMatchObject({ status: 'failed', error: 'no 3', reason: 'error', attempt: 3 });
    const again = await tasks.retry(id);
    expect(again).toMatchObject({ outcome: 'started' });
    expect(again.id).not.toBe(id);
    await tasks.fail(await bench.claimOne('plain'), { message: 'never', isRetryable: false });
    expect(await tasks.get(again.id)).toMatchObject({ status: 'failed', attempt: 1 });
  });

  test('the hard maximum ends a run whose heart still beats', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const { id } = await tasks.request({ kind: 'short' });
    const task = await bench.claimOne('short');
    for (let beat = 0; beat < 11; beat += 1) {
      clock.advance(5000);
      await tasks.heartbeat(task);
    }
    clock.advance(5000);
    expect(await codeOf(tasks.heartbeat(task))).toBe('task_fenced');
    expect(await tasks.get(id)).toMatchObject({ status: 'lost', reason: 'max_runtime' });
  });

  test('a step that takes too long ends the attempt; the next one goes on from the checkpoint', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const { id } = await tasks.request({ kind: 'plain', attempts: 2 });
    const first = await bench.claimOne('plain');
    expect(first.checkpoint).toBeNull();
    const steps = [{ name: 'ask', maxMs: 45_000 }, { name: 'answer' }];
    await tasks.progress(first, { steps, step: 'ask' });
    await tasks.checkpoint(first, { page: 1 });
    await tasks.checkpoint(first, { page: 2 });
    clock.advance(29_000);
    expect(await tasks.heartbeat(first)).toMatchObject({ expiresAt: clock.now() + 16_000 });
    clock.advance(16_000);
    expect(await tasks.get(id)).toMatchObject({ status: 'lost', reason: 'step_timeout' });
    expect(await codeOf(tasks.checkpoint(first, { page: 3 }))).toBe('task_fenced');
    await tasks.sweep();
    expect((await tasks.get(id)).history).toMatchObject([
      { reason: 'step_timeout', error: 'attempt 1 was longer than 45000 ms in step ask' },
    ]);
    clock.advance(1000);
    const second = await bench.claimOne('plain');
    expect(second.checkpoint).toEqual({ page: 2 });
    await tasks.progress(second, { steps, step: 'ask' });
    clock.advance(29_000);
    await tasks.progress(second, { step: 'answer' });
    for (let beat = 0; beat < 5; beat += 1) {
      clock.advance(29_000);
      await tasks.heartbeat(second);
    }
    await tasks.fail(second, { message: 'no', isRetryable: false });
    const again = await tasks.retry(id);
    expect(await bench.claimOne('plain')).toMatchObject({ id: again.id, checkpoint: { page: 2 } });
    await tasks.retry(id, { isFromStart: true });
    expect(await bench.claimOne('plain')).toMatchObject({ checkpoint: null });
    expect(await codeOf(tasks.checkpoint(second, 'x'.repeat(70_000)))).toBe('task_fenced');
    const big = tasks.request({ kind: 'plain', checkpoint: 'x'.repeat(70_000) });
    expect(await codeOf(big)).toBe('task_too_large');
  });

  test('a request can ask for a shorter run than its kind allows, not for a longer one', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    await tasks.request({ kind: 'short', maxRuntimeMs: 3000 });
    const shorter = await bench.claimOne('short');
    expect(shorter.deadlineAt).toBe(clock.now() + 3000);
    await tasks.request({ kind: 'short', maxRuntimeMs: 90_000 });
    expect((await bench.claimOne('short')).deadlineAt).toBe(clock.now() + 60_000);
    expect(await codeOf(tasks.request({ kind: 'short', maxRuntimeMs: 0 }))).toBe(
      'task_bad_request',
    );
    clock.advance(3000);
    expect(await tasks.get(shorter.id)).toMatchObject({ status: 'lost', reason: 'max_runtime' });
  });

  test('a live task of three hours is never reaped', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const { id } = await tasks.request({ kind: 'plain' });
    const task = await bench.claimOne('plain');
    for (let elapsedMs = 0; elapsedMs < 3 * 3_600_000; elapsedMs += 20_000) {
      clock.advance(20_000);
      await tasks.heartbeat(task);
      expect(await tasks.sweep()).toBe(0);
    }
    expect((await tasks.get(id)).status).toBe('running');
    await tasks.complete(task);
    expect(await tasks.get(id)).toMatchObject({ status: 'completed', attempt: 1 });
  });

  test('no worker is a status with a reason, and the wait for one ends', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    await tasks.dismissWorker('w');
    const goneAt = clock.now();
    clock.advance(1000);
    const { id } = await tasks.request({ kind: 'short' });
    expect(await tasks.get(id)).toMatchObject({
      status: 'waiting_for_worker',
      reason: 'no_worker_alive',
    });
    expect(await tasks.starvedKinds()).toEqual([
      { kind: 'short', waiting: 1, since: clock.now(), lastSeenAt: goneAt },
    ]);
    clock.advance(5000);
    expect(await tasks.get(id)).toMatchObject({ status: 'failed', reason: 'no_worker' });
    expect(await tasks.claim({ kinds: ['short'], worker: 'w' })).toEqual([]);
    await tasks.sweep();
    expect(await tasks.get(id)).toMatchObject({ status: 'failed', isOver: true });
  });

  test('requests of a key: one waits, one runs, one follows, with the union of what was asked', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const request = (from: string | null, to: string) =>
      tasks.request({ kind: 'sync', payload: { account: 'a', window: { from, to } } });
    const first = await request('03', '04');
    expect(first.outcome).toBe('started');
    expect(await request('02', '03')).toMatchObject({ outcome: 'joined', id: first.id });
    const run = await bench.claimOne('sync');
    expect(run.payload).toEqual({ account: 'a', window: { from: '02', to: '04' } });
    const second = await request('05', '06');
    expect(second.outcome).toBe('queued');
    expect(await request(null, '02')).toMatchObject({ outcome: 'joined', id: second.id });
    expect(await tasks.claim({ kinds: ['sync'], worker: 'w' })).toEqual([]);
    expect((await tasks.get(second.id)).status).toBe('queued');
    await tasks.complete(run);
    const follow = await bench.claimOne('sync');
    expect(follow).toMatchObject({
      id: second.id,
      payload: { account: 'a', window: { from: null, to: '06' } },
    });
    await tasks.complete(follow);
    expect(await tasks.claim({ kinds: ['sync'], worker: 'w' })).toEqual([]);
    expect((await request('07', '08')).outcome).toBe('started');
  });

  test('a hundred requests at once make one task', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () =>
        bench.tasks.request({
          kind: 'sync',
          payload: { account: 'a', window: { from: null, to: null } },
        }),
      ),
    );
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(answers.filter(({ outcome }) => outcome === 'started')).toHaveLength(1);
  });

  test('nothing old blocks: a stale row of last week, a failed one, a lost one', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const request = () =>
      tasks.request({ kind: 'sync', key: 'k', payload: { window: { from: null, to: null } } });
    const first = await request();
    await bench.claimOne('sync');
    clock.advance(7 * 86_400_000);
    expect(await request()).toMatchObject({ id: first.id, outcome: 'joined' });
    expect(await tasks.get(first.id)).toMatchObject({ attempt: 1, availableAt: clock.now() });
    await tasks.fail(await bench.claimOne('sync'), { message: 'no', isRetryable: false });
    const second = await request();
    expect(second.outcome).toBe('started');
    clock.advance(7 * 86_400_000);
    const third = await request();
    expect(third.outcome).toBe('started');
    expect(await tasks.get(second.id)).toMatchObject({ status: 'failed', reason: 'no_worker' });
  });

  test('force takes the place of whatever runs', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const first = await tasks.request({ kind: 'plain', key: 'k' });
    const run = await bench.claimOne('plain');
    const second = await tasks.request({ kind: 'plain', key: 'k', force: true });
    expect(second.outcome).toBe('started');
    expect(await codeOf(tasks.complete(run))).toBe('task_fenced');
    expect(await tasks.get(first.id)).toMatchObject({ status: 'cancelled', reason: 'superseded' });
    expect(await bench.claimOne('plain')).toMatchObject({ id: second.id });
  });

  test('an idempotency key gives the same task again, also when it is over', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const request = () => bench.tasks.request({ kind: 'plain', idempotencyKey: 'once' });
    const answers = await Promise.all([request(), request(), request()]);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    await bench.tasks.complete(await bench.claimOne('plain'));
    expect((await request()).id).toBe(answers[0].id);
  });

  test('bad requests are refused with a reason', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    expect(await codeOf(tasks.request({ kind: 'nope' }))).toBe('task_unknown_kind');
    expect(await codeOf(tasks.claim({ kinds: ['nope'], worker: 'w' }))).toBe('task_unknown_kind');
    const big = tasks.request({ kind: 'plain', payload: 'x'.repeat(20_000) });
    expect(await codeOf(big)).toBe('task_too_large');
    const odd = tasks.request({ kind: 'plain', payload: () => 1 });
    expect(await codeOf(odd)).toBe('task_bad_request');
    const never = tasks.request({ kind: 'plain', delayMs: Number.NaN });
    expect(await codeOf(never)).toBe('task_bad_request');
    expect(await codeOf(tasks.get('no'))).toBe('task_not_found');
    const orphan = tasks.request({ kind: 'plain', parent: { id: 'no' } });
    expect(await codeOf(orphan)).toBe('task_not_found');
    await tasks.request({ kind: 'plain' });
    const task = await bench.claimOne('plain');
    for (const fraction of [Number.NaN, -0.1, 1.1, Infinity]) {
      expect(await codeOf(tasks.progress(task, { fraction }))).toBe('task_bad_progress');
    }
    expect(await codeOf(tasks.progress(task, { step: 'x' }))).toBe('task_bad_progress');
    await tasks.progress(task, { fraction: 0.5 });
    await tasks.progress(task, { fraction: 0.2, message: 'back' });
    expect(await tasks.get(task.id)).toMatchObject({ progress: 0.5, message: 'back' });
  });

  test('limits hold, lost workers hold no slot, and owners take turns', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    await tasks.requestAll(Array.from({ length: 10 }, () => ({ kind: 'limited', owner: 'many' })));
    await tasks.request({ kind: 'limited', owner: 'few', lane: 'x' });
    await tasks.request({ kind: 'limited', owner: 'other', lane: 'x' });
    const claimed = await tasks.claim({ kinds: ['limited'], worker: 'w', limit: 10 });
    expect(claimed.map(({ owner }) => owner)).toEqual(['many', 'few', 'many']);
    expect(await tasks.claim({ kinds: ['limited'], worker: 'w', limit: 10 })).toEqual([]);
    clock.advance(30_000);
    const next = await tasks.claim({ kinds: ['limited'], worker: 'w', limit: 10 });
    expect(next.map(({ owner }) => owner).toSorted()).toEqual(['many', 'many', 'other']);
  });

  test('ten thousand tasks of one owner do not keep another one waiting', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    for (let part = 0; part < 10; part += 1) {
      await tasks.requestAll(Array.from({ length: 1000 }, () => ({ kind: 'plain', owner: 'a' })));
    }
    for (let round = 0; round < 3; round += 1) {
      await tasks.request({ kind: 'plain', owner: 'b' });
      const owners = [await bench.claimOne('plain'), await bench.claimOne('plain')];
      expect(owners.map(({ owner }) => owner)).toContain('b');
    }
  });

  test('output is bounded, numbered and readable from the beginning', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    await tasks.request({ kind: 'loud' });
    const task = await bench.claimOne('loud');
    const some = await tasks.output(task, [{ data: 'a'.repeat(60) }, { data: 'b', type: 'token' }]);
    expect(some).toMatchObject({ seq: 2, refused: 0 });
    const more = await tasks.output(task, [{ data: 'c'.repeat(60) }, { data: 'd' }]);
    expect(more).toMatchObject({ seq: 2, refused: 2 });
    const page = await tasks.readOutput(task.id, { after: 1 });
    expect(page).toMatchObject({ seq: 2, refused: 2, isOver: false });
    expect(page.chunks).toMatchObject([{ seq: 2, type: 'token', data: 'b', attempt: 1 }]);
    const long = tasks.output(task, [{ data: 'x'.repeat(40_000) }]);
    expect(await codeOf(long)).toBe('task_too_large');
    const events = await bench.events();
    expect(events.filter(({ event }) => event.type === 'output')).toMatchObject([
      { event: { chunks: [{ seq: 1 }, { seq: 2 }] } },
    ]);
  });

  test('a completion is kept together with what the task made', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const { id } = await tasks.request({ kind: 'plain' });
    const task = await bench.claimOne('plain');
    const made = { kind: 'made', step: 'x', samples: 1, mean_ms: 1 };
    const work = async (trx: StoreTransaction<TaskTables>): Promise<void> => {
      await trx.insertInto('task_durations').values(made).execute();
    };
    const count = (): Promise<readonly unknown[]> =>
      bench.store.read((db) =>
        db.selectFrom('task_durations').selectAll().where('kind', '=', 'made').execute(),
      );
    clock.advance(30_000);
    expect(await codeOf(tasks.complete(task, null, work))).toBe('task_fenced');
    expect(await count()).toEqual([]);
    await tasks.sweep();
    clock.advance(1000);
    await tasks.complete(await bench.claimOne('plain'), null, work);
    expect(await count()).toEqual([made]);
    expect((await tasks.get(id)).status).toBe('completed');
  });

  test('the time left comes from measured durations', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, clock } = bench;
    const steps = [{ name: 'get' }, { name: 'put' }];
    await tasks.request({ kind: 'plain' });
    const first = await bench.claimOne('plain');
    await tasks.progress(first, { steps, step: 'get' });
    clock.advance(10_000);
    await tasks.progress(first, { step: 'put' });
    clock.advance(4000);
    await tasks.complete(first);
    await tasks.start();
    const { id } = await tasks.request({ kind: 'plain' });
    const second = await bench.claimOne('plain');
    expect((await tasks.get(id)).remainingMs).toBe(14_000);
    await tasks.progress(second, { steps, step: 'get' });
    clock.advance(3000);
    expect((await tasks.get(id)).remainingMs).toBe(11_000);
  });
});

test('what was claimed after a copy of the store was made is over when the copy is restored, though the task is claimed again', async () => {
  const [backend] = testBackends;
  await using database = await backend!.create();
  const url = `${database.url}-copy`;
  let old: ClaimedTask;
  {
    await using bench = await openBench(database);
    await bench.tasks.request({ kind: 'plain' });
    await bench.store.backup(url.replace('sqlite:', ''));
    old = await bench.claimOne('plain');
  }
  await using restored = await openBench({ ...database, url });
  const again = await restored.claimOne('plain');
  expect(again.id).toBe(old.id);
  expect(await codeOf(restored.tasks.complete(old))).toBe('task_fenced');
  await restored.tasks.complete(again);
});
