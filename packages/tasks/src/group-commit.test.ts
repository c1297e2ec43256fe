import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test } from 'vitest';
import { codeOf, openBench } from './testing/bench.ts';

const many = 40;

describe.each(testBackends)('changes that come together on $name', (backend) => {
  test('share a commit, and each task has its events in order', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, store } = bench;
    const before = store.metrics.databaseCommits;
    const answers = await Promise.all(
      Array.from({ length: many }, (_, index) =>
        tasks.request({ kind: 'plain', owner: `u${index % 3}`, payload: index }),
      ),
    );
    expect(new Set(answers.map(({ id }) => id)).size).toBe(many);
    const claimed = await tasks.claim({ kinds: ['plain'], worker: 'w', limit: 100 });
    expect(claimed).toHaveLength(many);
    await Promise.all(
      claimed.flatMap((task) => [
        tasks.progress(task, { fraction: 0.5 }),
        tasks.output(task, [{ data: 'a' }]),
        tasks.output(task, [{ data: 'b' }]),
        tasks.complete(task, task.payload),
      ]),
    );
    // One for the requests, one for the claim, two for four changes of forty tasks; first durations.
    expect(store.metrics.databaseCommits - before).toBeLessThanOrEqual(5);
    const events = await bench.events();
    for (const { id, payload } of claimed) {
      expect(await tasks.get(id)).toMatchObject({ status: 'completed', result: payload });
      const { chunks } = await tasks.readOutput(id);
      expect(chunks.map(({ seq, data }) => `${seq}${data}`)).toEqual(['1a', '2b']);
      const own = events.filter(({ channel }) => channel.startsWith(`task:${id}`));
      expect(
        own.map(({ event }) => (event.type === 'task' ? event.task.version : event.type)),
      ).toEqual([1, 2, 3, 'output', 'output', 4]);
    }
  });

  test('fail one by one: what is refused keeps nothing, and takes nothing from the others', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    await Promise.all(Array.from({ length: 3 }, () => tasks.request({ kind: 'plain' })));
    const [first, second, third] = await tasks.claim({ kinds: ['plain'], worker: 'w', limit: 3 });
    if (first === undefined || second === undefined || third === undefined) throw new Error('few');
    const codes = await Promise.all(
      [
        tasks.complete(first, 1),
        tasks.complete(first, 2),
        tasks.fail({ ...second, token: second.token + 1 }, { message: 'not mine' }),
        tasks.progress(second, { fraction: 2 }),
        tasks.progress(second, { fraction: 0.25 }),
        tasks.complete({ id: 'nobody', token: 1 }),
        tasks.request({ kind: 'plain', parent: { id: first.id, token: first.token } }),
        tasks.checkpoint(third, 'x'.repeat(100_000)),
        tasks.heartbeat(third),
      ].map(codeOf),
    );
    expect(codes).toEqual([
      'no error',
      'task_fenced',
      'task_fenced',
      'task_bad_progress',
      'no error',
      'task_not_found',
      'task_fenced',
      'task_too_large',
      'no error',
    ]);
    expect(await tasks.get(first.id)).toMatchObject({ result: 1, version: 3 });
    expect(await tasks.get(second.id)).toMatchObject({ progress: 0.25, version: 3 });
    expect(await tasks.get(third.id)).toMatchObject({ status: 'running', version: 3 });
  });

  test('requests of one key, or one idempotency key, meet', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const sync = { kind: 'sync', payload: { account: 'a', window: {} } };
    const answers = await Promise.all([
      tasks.request(sync),
      tasks.request(sync),
      tasks.request({ kind: 'plain', idempotencyKey: 'once' }),
      tasks.request({ kind: 'plain', idempotencyKey: 'once' }),
      tasks.request({ kind: 'sync', payload: { account: 'b', window: {} } }),
    ]);
    expect(answers.map(({ outcome }) => outcome)).toEqual([
      'started',
      'joined',
      'started',
      'joined',
      'started',
    ]);
    const running = await tasks.claim({ kinds: ['sync'], worker: 'w', limit: 5 });
    expect(running).toHaveLength(2);
    // A completion and requests of the same key: whatever their order, one run follows.
    const [next, again] = await Promise.all([
      tasks.request(sync),
      tasks.request(sync),
      ...running.map((task) => tasks.complete(task)),
    ]);
    expect(next.id).toBe(again.id);
    expect([next.outcome, again.outcome]).toEqual(['queued', 'joined']);
    expect(await tasks.get(next.id)).toMatchObject({ status: 'pending' });
  });

  test('parents of several children that end at once count each', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const { id } = await tasks.batch(Array.from({ length: 10 }, () => ({ kind: 'plain' })));
    const children = await tasks.claim({ kinds: ['plain'], worker: 'w', limit: 10 });
    await Promise.all(
      children.map((task, index) =>
        index === 0
          ? tasks.fail(task, { message: 'no', isRetryable: false })
          : tasks.complete(task),
      ),
    );
    expect(await tasks.get(id)).toMatchObject({ status: 'partial', isOver: true });
  });
});

const postgres = testBackends.filter(({ name }) => name !== 'SQLite');

describe.each(postgres)('on $name', (backend) => {
  test('who has to wait for the lock of another transaction keeps nobody else', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks, store } = bench;
    await Promise.all(Array.from({ length: 2 }, () => tasks.request({ kind: 'plain' })));
    const [held, free] = await tasks.claim({ kinds: ['plain'], worker: 'w', limit: 2 });
    if (held === undefined || free === undefined) throw new Error('few');
    const release = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const holding = store.transaction(async (trx) => {
      await trx.selectFrom('tasks').select('id').where('id', '=', held.id).forUpdate().execute();
      await store.lock(trx, ['task-once:busy']);
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    let done = 0;
    const waiting = [
      tasks.complete(held),
      tasks.request({ kind: 'plain', idempotencyKey: 'busy' }),
    ].map(async (change) => {
      await change;
      done += 1;
    });
    await tasks.complete(free);
    await tasks.request({ kind: 'plain', idempotencyKey: 'idle' });
    expect(done).toBe(0);
    release.resolve();
    await Promise.all([holding, ...waiting]);
    expect(await tasks.get(held.id)).toMatchObject({ status: 'completed' });
  });

  test('a statement that is refused is refused for the one who sent it', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    const { tasks } = bench;
    const codes = await Promise.all(
      [
        tasks.request({ kind: 'plain', owner: 'a\0b' }),
        tasks.request({ kind: 'plain', owner: 'c' }),
      ].map(codeOf),
    );
    expect(codes).toEqual(['store_bad_value', 'no error']);
  });
});
