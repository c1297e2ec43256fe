import { delay, withDeadline } from '@holdfast/store';
import type { TaskContext } from '../task-context.ts';
import { TaskUnit } from '../task-unit.ts';
import { dismissWorker, noteWorker } from '../worker-registry.ts';
import { applySightings, jobIdOf } from './apply-sighting.ts';
import type { JobSighting, JobSource } from './job-source.ts';

const sightingsAtOnce = 100;
const maxLive = 10_000;
const workersEveryMs = 5000;
const maxWorkers = 100;
const troubleMs = { first: 250, longest: 10_000 };
const answerMs = 10_000;

/** How far a source has been read, and by whom: only the last one to take over may write. */
interface Position {
  readonly token: number;
  readonly cursor: string | null;
}

/**
 * Keeps the tasks of a source as its jobs are. One node follows, the one that leads the store; when it
 * dies the next one takes over with a token of its own, from the cursor that was committed together
 * with what was seen up to it. So nothing is told twice or left out, and a node that comes back from
 * the dead writes nothing.
 */
export class JobFollower {
  readonly source: JobSource;
  readonly #context: TaskContext;
  readonly #closing = new AbortController();
  readonly #seenWorkers = new Set<string>();
  #position: Position | undefined;
  #trouble: { readonly since: number; readonly error: string } | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(context: TaskContext, source: JobSource) {
    this.#context = context;
    this.source = source;
  }

  /** Why tasks of this source may be out of date; undefined when they are not. */
  get problem(): string | undefined {
    if (this.#trouble === undefined) return undefined;
    const { since, error } = this.#trouble;
    return `${this.source.name} cannot be read since ${new Date(since).toISOString()}: ${error}`;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
    await this.source.close();
  }

  async #run(): Promise<void> {
    const { clock, store, logger } = this.#context;
    const { signal } = this.#closing;
    let failures = 0;
    let reconciledAt = -Infinity;
    let countedAt = -Infinity;
    while (!signal.aborted) {
      try {
        if (!store.isLeader()) {
          this.#position = undefined;
          reconciledAt = -Infinity;
          this.#trouble = undefined;
          await delay(clock, this.source.pollMs, signal);
          continue;
        }
        this.#position ??= await this.#takeOver();
        const hasMore = await this.#readChanges();
        if (!hasMore && clock.monotonic() - reconciledAt >= this.source.reconcileMs) {
          await this.#reconcile();
          reconciledAt = clock.monotonic();
        }
        if (clock.monotonic() - countedAt >= workersEveryMs) {
          await this.#countWorkers();
          countedAt = clock.monotonic();
        }
        failures = 0;
        this.#trouble = undefined;
        if (!hasMore) await delay(clock, this.source.pollMs, signal);
      } catch (error) {
        // Whatever was missed is found again by reading from the committed position.
        this.#position = undefined;
        reconciledAt = -Infinity;
        failures += 1;
        const { message } = error as Error;
        if (failures > 1) this.#trouble ??= { since: this.#context.now(), error: message };
        logger.warn({ err: error, source: this.source.name }, 'jobs could not be read');
        const waitMs = Math.min(troubleMs.first * 2 ** Math.min(failures, 10), troubleMs.longest);
        await delay(clock, waitMs, signal);
      }
    }
  }

  async #takeOver(): Promise<Position> {
    return await TaskUnit.run(this.#context, async (unit) => {
      const stored = await readPosition(unit, this.source.name);
      const position = { token: (stored?.token ?? 0) + 1, cursor: stored?.cursor ?? null };
      const row = {
        source: this.source.name,
        position: JSON.stringify(position),
        updated_at: unit.now,
      };
      await unit.trx
        .insertInto('task_sources')
        .values(row)
        .onConflict((conflict) => conflict.column('source').doUpdateSet(row))
        .execute();
      return position;
    });
  }

  async #readChanges(): Promise<boolean> {
    const cursor = this.#position?.cursor ?? undefined;
    const changes = await this.#within(this.source.changes(cursor));
    if (changes.cursor !== cursor) await this.#apply(changes.sightings, changes.cursor);
    return changes.hasMore;
  }

  /** Looks at every job that is live, there or here. */
  async #reconcile(): Promise<void> {
    const ids = new Set(await this.#within(this.source.live(maxLive)));
    const rows = await this.#context.store.read((db) =>
      db
        .selectFrom('tasks')
        .select('idempotency_key')
        .where('kind', '=', this.source.kind)
        .where('state', 'in', ['pending', 'running'])
        .where('source', '=', this.source.name)
        .limit(maxLive)
        .execute(),
    );
    for (const row of rows) ids.add(jobIdOf(this.source, row));
    const all = [...ids];
    for (let start = 0; start < all.length; start += sightingsAtOnce) {
      if (this.#closing.signal.aborted) return;
      const some = all.slice(start, start + sightingsAtOnce);
      await this.#apply(await this.#within(this.source.look(some)));
    }
  }

  /** Commits what was seen, together with how far that is. */
  async #apply(sightings: readonly JobSighting[], cursor?: string): Promise<void> {
    const held = this.#position;
    if (held === undefined) return;
    for (let start = 0; start === 0 || start < sightings.length; start += sightingsAtOnce) {
      const some = sightings.slice(start, start + sightingsAtOnce);
      const isLast = start + sightingsAtOnce >= sightings.length;
      const next: Position = { ...held, cursor: (isLast ? cursor : undefined) ?? held.cursor };
      await TaskUnit.run(this.#context, async (unit) => {
        const stored = await readPosition(unit, this.source.name);
        if (stored?.token !== held.token) throw new Error('another node follows this queue');
        await applySightings(unit, this.source, some);
        if (next.cursor === held.cursor) return;
        await unit.trx
          .updateTable('task_sources')
          .set({ position: JSON.stringify(next), updated_at: unit.now })
          .where('source', '=', this.source.name)
          .execute();
      });
      this.#position = next;
    }
  }

  async #countWorkers(): Promise<void> {
    const workers = await this.#within(this.source.workers());
    const alive = new Set<string>();
    for (const { id, name } of workers.slice(0, maxWorkers)) {
      const worker = `${this.source.name}/${id}`;
      alive.add(worker);
      await noteWorker(this.#context, { id: worker, kinds: [this.source.kind], name });
    }
    for (const worker of this.#seenWorkers) {
      if (!alive.has(worker)) await dismissWorker(this.#context, worker);
    }
    this.#seenWorkers.clear();
    for (const worker of alive) this.#seenWorkers.add(worker);
  }

  #within<T>(answer: Promise<T>): Promise<T> {
    return withDeadline(answer, answerMs, {
      clock: this.#context.clock,
      onDeadline: () => new Error(`no answer within ${answerMs} ms`),
    });
  }
}

async function readPosition(unit: TaskUnit, source: string): Promise<Position | undefined> {
  const query = unit.trx.selectFrom('task_sources').select('position').where('source', '=', source);
  const row = await (
    unit.context.store.dialect === 'postgres' ? query.forUpdate() : query
  ).executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.position) as Position);
}
