import fc from 'fast-check';
import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test } from 'vitest';
import type { ClaimedTask } from './claim.ts';
import { codeOf, openBench, type Bench } from './testing/bench.ts';

/** What may happen, in any order. Numbers choose among what there is. */
type Step =
  | {
      readonly do: 'request';
      readonly key: number;
      readonly isForced: boolean;
      readonly delayMs: number;
    }
  | { readonly do: 'child'; readonly key: number; readonly of: number }
  | { readonly do: 'claim'; readonly limit: number }
  | {
      readonly do: 'beat' | 'progress' | 'output' | 'complete' | 'fail' | 'release' | 'cancel';
      readonly of: number;
    }
  | { readonly do: 'sleep'; readonly ms: number }
  | { readonly do: 'sweep' };

const natural = fc.nat(1000);
const key = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('request' as const),
    key,
    isForced: fc.constant(false),
    delayMs: fc.constantFrom(0, 0, 500),
  }),
  fc.record({
    do: fc.constant('request' as const),
    key,
    isForced: fc.constant(true),
    delayMs: fc.constant(0),
  }),
  fc.record({ do: fc.constant('child' as const), key, of: natural }),
  fc.record({ do: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    do: fc.constantFrom('beat', 'progress', 'output', 'complete', 'fail', 'release', 'cancel'),
    of: natural,
  }),
  fc.record({ do: fc.constantFrom('beat', 'complete', 'fail'), of: natural }),
  fc.record({
    do: fc.constant('sleep' as const),
    ms: fc.constantFrom(1, 500, 3000, 11_000, 70_000),
  }),
  fc.record({ do: fc.constant('sweep' as const) }),
);

/** What the outside has seen, and must be able to rely on. */
class Witness {
  readonly leases: ClaimedTask[] = [];
  readonly ids: string[] = [];
  /** By mark: the answer, and how many leases there were before it. */
  readonly marks = new Map<string, { id: string; leasesBefore: number }>();
  readonly ends = new Map<string, string>();
  readonly #bench: Bench;
  #marks = 0;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  async apply(action: Step): Promise<void> {
    const { tasks, clock } = this.#bench;
    switch (action.do) {
      case 'request':
        await this.#request({
          key: `k${action.key}`,
          force: action.isForced,
          delayMs: action.delayMs,
        });
        break;
      case 'child': {
        const parent = this.#pick(this.leases, action.of);
        if (parent !== undefined) await this.#request({ key: `k${action.key}`, parent });
        break;
      }
      case 'claim': {
        const taken = await tasks.claim({ kinds: ['model'], worker: 'w', limit: action.limit });
        this.leases.push(...taken);
        break;
      }
      case 'sleep':
        clock.advance(action.ms);
        break;
      case 'sweep':
        await tasks.sweep();
        break;
      case 'cancel': {
        const id = this.#pick(this.ids, action.of);
        if (id !== undefined) await tasks.cancel(id);
        break;
      }
      default:
        await this.#write(action.do, this.#pick(this.leases, action.of));
    }
    await this.#check();
  }

  /** Lets time pass and workers work until nothing is live. */
  async drain(): Promise<void> {
    const { tasks, clock } = this.#bench;
    for (let round = 0; round < 400; round += 1) {
      await tasks.noteWorker({ id: 'w', kinds: ['model'] });
      const taken = await tasks.claim({ kinds: ['model'], worker: 'w', limit: 100 });
      this.leases.push(...taken);
      for (const lease of taken) await tasks.complete(lease);
      await this.#check();
      if ((await tasks.list({ phase: 'live' })).length === 0) return;
      clock.advance(1000);
      await tasks.sweep();
    }
    throw new Error(`stuck: ${JSON.stringify(await tasks.list({ phase: 'live' }))}`);
  }

  /** What must hold once everything is over. */
  async checkEnd(): Promise<void> {
    const { tasks } = this.#bench;
    for (const [mark, { id, leasesBefore }] of this.marks) {
      const end = await tasks.get(id);
      expect(end.isOver).toBe(true);
      if (end.status !== 'completed') continue;
      const later = this.leases.slice(leasesBefore).filter((lease) => lease.id === id);
      expect(later.some(({ payload }) => (payload as string[]).includes(mark))).toBe(true);
    }
    const versions = new Map<string, number>();
    for (const { channel, event } of await this.#bench.events()) {
      if (event.type !== 'task' || !channel.startsWith('task:')) continue;
      expect(event.task.version).toBe((versions.get(event.task.id) ?? 0) + 1);
      versions.set(event.task.id, event.task.version);
    }
  }

  async #request(more: {
    key: string;
    force?: boolean;
    delayMs?: number;
    parent?: ClaimedTask;
  }): Promise<void> {
    const mark = `m${(this.#marks += 1)}`;
    const leasesBefore = this.leases.length;
    try {
      const { id } = await this.#bench.tasks.request({ kind: 'model', payload: [mark], ...more });
      this.marks.set(mark, { id, leasesBefore });
      if (!this.ids.includes(id)) this.ids.push(id);
    } catch (error) {
      expect((error as { code?: string }).code).toMatch(
        /^task_(fenced|cycle|parent_over|too_large)$/,
      );
    }
  }

  async #write(
    what: 'beat' | 'progress' | 'output' | 'complete' | 'fail' | 'release',
    lease: ClaimedTask | undefined,
  ): Promise<void> {
    if (lease === undefined) return;
    const { tasks } = this.#bench;
    const before = await tasks.get(lease.id);
    const isLatest = this.leases.findLast(({ id }) => id === lease.id)?.token === lease.token;
    const mayWrite = isLatest && (before.status === 'running' || before.status === 'cancelling');
    const code = await codeOf(
      {
        beat: () => tasks.heartbeat(lease),
        progress: () => tasks.progress(lease, { fraction: 0.3 }),
        output: () => tasks.output(lease, [{ data: 'x' }]),
        complete: () => tasks.complete(lease),
        fail: () => tasks.fail(lease, { message: 'no' }),
        release: () => tasks.release(lease),
      }[what](),
    );
    // A worker with an old token is never let in; the last one is, exactly while it is said to run.
    if (before.status === 'cancelling' && isLatest)
      expect(['no error', 'task_fenced']).toContain(code);
    else expect(code).toBe(mayWrite ? 'no error' : 'task_fenced');
  }

  async #check(): Promise<void> {
    const { store, tasks } = this.#bench;
    expect(await store.integrityCheck()).toEqual([]);
    const live = new Map<string, number>();
    const rows = await store.read((db) => db.selectFrom('tasks').selectAll().execute());
    for (const row of rows) {
      if (['pending', 'running', 'awaiting'].includes(row.state)) {
        live.set(row.unique_key ?? row.id, (live.get(row.unique_key ?? row.id) ?? 0) + 1);
      }
      const ended = this.ends.get(row.id);
      if (ended !== undefined)
        expect(JSON.stringify([row.state, row.token, row.result])).toBe(ended);
      if (row.ended_at !== null && row.expires_at === null && row.slot === null) {
        this.ends.set(row.id, JSON.stringify([row.state, row.token, row.result]));
      }
    }
    expect([...live.values()].filter((count) => count > 1)).toEqual([]);
    const running = await tasks.list({ kind: 'model', phase: 'live', limit: 200 });
    expect(running.filter(({ status }) => status === 'running').length).toBeLessThanOrEqual(4);
    for (const view of running) expect(view.expiresAt).not.toBeNull();
  }

  #pick<T>(list: readonly T[], number: number): T | undefined {
    return list.length === 0 ? undefined : list[number % list.length];
  }
}

async function empty({ store }: Bench): Promise<void> {
  await store.transaction(async (trx) => {
    for (const table of ['tasks', 'task_links', 'task_output'] as const) {
      await trx.deleteFrom(table).execute();
    }
    await trx.withTables<{ outbox: object }>().deleteFrom('outbox').execute();
  });
}

describe.each(testBackends)('any interleaving on $name', (backend) => {
  test('of requests, workers, crashes, sweeps and cancels keeps the invariants, and ends', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        await empty(bench);
        await bench.tasks.noteWorker({ id: 'w', kinds: ['model'] });
        const witness = new Witness(bench);
        for (const one of steps) await witness.apply(one);
        await witness.drain();
        await witness.checkEnd();
      }),
      { numRuns: backend.name === 'SQLite' ? 60 : 6 },
    );
  }, 180_000);
});
