import { openStore } from '@holdfast/store';
import { testBackends, type TestDatabase } from '@holdfast/store/testing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { taskModule, type TaskTables } from '../task-module.ts';
import { createTasks } from '../tasks.ts';
import type { JobChanges, JobSighting, JobSource } from './job-source.ts';

interface Shown {
  readonly sightings: readonly JobSighting[];
  readonly applied: PromiseWithResolvers<void>;
}

/** A queue in which is seen what it is told to show. */
class ShownJobs implements JobSource {
  readonly name = 'shown';
  readonly kind = 'shown';
  readonly pollMs = 1;
  readonly reconcileMs = 3_600_000;
  readonly leaseMs = 3_600_000;
  readonly #shown: Shown[] = [];

  /** Resolves when the tasks say so. */
  show(...sightings: readonly JobSighting[]): Promise<void> {
    const applied = Promise.withResolvers<void>();
    this.#shown.push({ sightings, applied });
    return applied.promise;
  }

  changes(cursor = '0'): Promise<JobChanges> {
    const read = Number(cursor);
    // What comes after a cursor is asked for when everything up to it is committed.
    this.#shown[read - 1]?.applied.resolve();
    const { sightings } = this.#shown[read] ?? {};
    return Promise.resolve(
      sightings === undefined
        ? { sightings: [], cursor, hasMore: false }
        : { sightings, cursor: String(read + 1), hasMore: true },
    );
  }

  live(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  look(): Promise<readonly JobSighting[]> {
    return Promise.resolve([]);
  }

  workers(): Promise<readonly { readonly id: string; readonly name: string }[]> {
    return Promise.resolve([{ id: 'somebody', name: 'somebody' }]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function followShown(database: TestDatabase) {
  const store = await openStore<TaskTables>({ url: database.url, modules: [taskModule] });
  // Only what publishes may follow.
  store.outbox.start({ publish: () => Promise.resolve() });
  const tasks = await createTasks({ store });
  const jobs = new ShownJobs();
  tasks.follow(jobs);
  await tasks.start();
  return {
    store,
    tasks,
    jobs,
    async [Symbol.asyncDispose]() {
      await tasks.close();
      await store.close();
    },
  };
}

const createdAt = 1_750_000_000_000;

function sighting(id: string, seen: Partial<JobSighting>): JobSighting {
  return {
    id,
    state: 'active',
    isAlive: true,
    attempt: 1,
    maxAttempts: 3,
    owner: '',
    payload: null,
    result: null,
    error: null,
    worker: 'somebody',
    progress: null,
    createdAt,
    availableAt: createdAt,
    startedAt: createdAt,
    ...seen,
  };
}

const seen = fc.record({
  state: fc.oneof(
    { arbitrary: fc.constant('active' as const), weight: 4 },
    fc.constantFrom('waiting', 'completed', 'failed', 'cancelled', 'gone'),
  ),
  isAlive: fc.boolean(),
  attempt: fc.integer({ min: 0, max: 4 }),
  error: fc.constantFrom(null, 'no'),
  startedAt: fc.constantFrom(null, createdAt),
});

describe.each(testBackends)('jobs that are seen, on $name', (backend) => {
  test('the next attempt is seen when its worker is dead already: retrying, with a deadline', async () => {
    await using database = await backend.create();
    await using followed = await followShown(database);
    const { store, tasks, jobs } = followed;
    await jobs.show(sighting('1', {}));
    expect(await tasks.list()).toMatchObject([{ status: 'running', attempt: 1 }]);
    await jobs.show(sighting('1', { attempt: 2, isAlive: false, error: 'stalled more than once' }));
    expect(await tasks.list()).toMatchObject([
      { status: 'retrying', reason: 'error', error: 'stalled more than once' },
    ]);
    expect(await store.integrityCheck()).toEqual([]);
    await jobs.show(sighting('1', { attempt: 2 }));
    expect(await tasks.list()).toMatchObject([{ status: 'running', attempt: 2, error: null }]);
  });

  test('whatever is seen and in whatever order, every rule holds', async () => {
    await using database = await backend.create();
    await using followed = await followShown(database);
    const { store, jobs } = followed;
    let ids = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(seen, { minLength: 2, maxLength: 6 }), async (sightings) => {
        ids += 1;
        const before = await store.integrityCheck();
        for (const one of sightings) {
          await jobs.show(sighting(String(ids), one));
          expect(await store.integrityCheck()).toEqual(before);
        }
      }),
      { numRuns: 50 },
    );
    expect(await store.integrityCheck()).toEqual([]);
  });
});
