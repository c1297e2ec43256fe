import { strict as assert } from 'node:assert';
import type { ClaimedTask } from '../claim.ts';
import { codeOf, type Bench } from './bench.ts';

/** What may happen, in any order. Numbers choose among what there is. */
export type Step =
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
  | { readonly do: 'together'; readonly steps: readonly Step[] }
  | { readonly do: 'sweep' };

/** What the outside has seen, and must be able to rely on. */
export class Witness {
  readonly leases: ClaimedTask[] = [];
  readonly ids: string[] = [];
  /** By mark: the answer, and how many leases there were before it. */
  readonly marks: Map<string, { id: string; leasesBefore: number }> = new Map<
    string,
    { id: string; leasesBefore: number }
  >();
  readonly ends: Map<string, string> = new Map<string, string>();
  readonly #bench: Bench;
  #marks = 0;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  async apply(action: Step): Promise<void> {
    await this.#act(action, { isAlone: true });
    await this.#check();
  }

  async #act(action: Step, { isAlone }: { readonly isAlone: boolean }): Promise<void> {
    const { tasks, clock } = this.#bench;
    switch (action.do) {
      case 'together':
        await Promise.all(action.steps.map((step) => this.#act(step, { isAlone: false })));
        break;
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
      case 'beat':
      case 'progress':
      case 'output':
      case 'complete':
      case 'fail':
      case 'release':
        await this.#write(action.do, this.#pick(this.leases, action.of), isAlone);
    }
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
      assert.ok(end.isOver);
      if (end.status !== 'completed') continue;
      const later = this.leases.slice(leasesBefore).filter((lease) => lease.id === id);
      assert.ok(later.some(({ payload }) => (payload as string[]).includes(mark)));
    }
    const versions = new Map<string, number>();
    for (const { channel, event } of await this.#bench.events()) {
      if (event.type !== 'task' || !channel.startsWith('task:')) continue;
      assert.equal(event.task.version, (versions.get(event.task.id) ?? 0) + 1);
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
      assert.match(
        (error as { code?: string }).code ?? String(error),
        /^task_(fenced|cycle|parent_over|too_large)$/,
      );
    }
  }

  async #write(
    what: 'beat' | 'progress' | 'output' | 'complete' | 'fail' | 'release',
    lease: ClaimedTask | undefined,
    isAlone: boolean,
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
    if (!isAlone || (before.status === 'cancelling' && isLatest))
      assert.ok(code === 'no error' || code === 'task_fenced');
    else assert.equal(code, mayWrite ? 'no error' : 'task_fenced');
  }

  async #check(): Promise<void> {
    const { store, tasks } = this.#bench;
    assert.deepEqual(await store.integrityCheck(), []);
    const live = new Map<string, number>();
    const rows = await store.read((db) => db.selectFrom('tasks').selectAll().execute());
    for (const row of rows) {
      if (['pending', 'running', 'awaiting'].includes(row.state)) {
        live.set(row.unique_key ?? row.id, (live.get(row.unique_key ?? row.id) ?? 0) + 1);
      }
      const ended = this.ends.get(row.id);
      if (ended !== undefined)
        assert.equal(JSON.stringify([row.state, row.token, row.result]), ended);
      if (row.ended_at !== null && row.expires_at === null && row.slot === null) {
        this.ends.set(row.id, JSON.stringify([row.state, row.token, row.result]));
      }
    }
    assert.ok([...live.values()].every((count) => count === 1));
    const running = await tasks.list({ kind: 'model', phase: 'live', limit: 200 });
    assert.ok(running.filter(({ status }) => status === 'running').length <= 4);
    for (const view of running) assert.ok(view.expiresAt !== null);
  }

  #pick<T>(list: readonly T[], number: number): T | undefined {
    return list.length === 0 ? undefined : list[number % list.length];
  }
}
