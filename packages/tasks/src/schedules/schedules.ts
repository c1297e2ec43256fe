import type { TaskView } from '@holdfast/protocol/tasks';
import type { StoreTransaction } from '@holdfast/store';
import type { SelectQueryBuilder } from 'kysely';
import { TaskError } from '../errors.ts';
import { locksOf, makeRequests } from '../make-requests.ts';
import { prepareRequest } from '../task-request.ts';
import type { TaskContext } from '../task-context.ts';
import {
  liveStates,
  type ScheduleRunTable,
  type ScheduleTable,
  type TaskTables,
} from '../task-module.ts';
import { TaskUnit } from '../task-unit.ts';
import { viewOf } from '../task-view.ts';
import { assertRule, lastTick, nextTick, type ScheduleRule } from './schedule-rule.ts';

/** A schedule as people see it. */
export interface ScheduleView {
  readonly name: string;
  /** With edits. */
  readonly rule: ScheduleRule;
  /** Fields that were changed by people, and stay changed. */
  readonly edited: readonly string[];
  readonly isPaused: boolean;
  /** Unix milliseconds; null while paused. */
  readonly nextAt: number | null;
  readonly lastAt: number | null;
}

/** What became of one tick, or of one request to run now. */
export interface ScheduleRun {
  readonly id: string;
  readonly scheduledFor: number;
  readonly trigger: 'tick' | 'manual';
  /** `skipped`: the run before was not over. `missed`: no node was there. `refused`: see the reason. */
  readonly outcome: ScheduleRunTable['outcome'];
  readonly reason: string | null;
  /** Null when there is none, or it was deleted by retention. */
  readonly task: TaskView | null;
  /** Null until it is over. */
  readonly durationMs: number | null;
}

type RunQuery = SelectQueryBuilder<TaskTables, 'task_schedule_runs', ScheduleRunTable>;
type Trigger = ScheduleRunTable['trigger'];

/**
 * Recurring requests. A schedule is always registered, also when it is disabled; what people change
 * is kept apart from what the program says, and wins, also after a restart. Each tick is handled by
 * one node, in one transaction with the run it records.
 */
export class Schedules {
  readonly #context: TaskContext;

  constructor(context: TaskContext) {
    this.#context = context;
  }

  /**
   * Registers what the program says. Edits and pauses made by people stay.
   * @throws {@link TaskError} `schedule_invalid`, `task_unknown_kind`
   */
  async define(name: string, rule: ScheduleRule): Promise<void> {
    this.#assert(name, rule);
    const defined = JSON.stringify(rule);
    await this.#change(name, (row, now) => {
      const old = row ?? { name, edited: '{}', paused: null, next_at: null, last_at: null };
      const isSame = row?.defined === defined && row.next_at !== null;
      const changed = { ...old, defined, updated_at: now };
      return isSame ? changed : { ...changed, next_at: nextOf(changed, now) };
    });
  }

  /** Changes fields of the rule. They stay changed. @throws {@link TaskError} */
  async edit(name: string, changes: Partial<ScheduleRule>): Promise<ScheduleView> {
    return await this.#change(name, (row, now) => {
      const known = assertKnown(name, row);
      const edited = { ...(JSON.parse(known.edited) as object), ...changes };
      // One way to say when: the newer one.
      const rule: ScheduleRule = { ...(JSON.parse(known.defined) as ScheduleRule), ...edited };
      const { cron, everyMs, ...rest } = rule;
      const timing =
        changes.cron !== undefined || (changes.everyMs === undefined && everyMs === undefined)
          ? { cron }
          : changes.everyMs !== undefined || cron === undefined
            ? { everyMs }
            : { cron };
      const checked = { ...rest, ...timing } as ScheduleRule;
      this.#assert(name, checked);
      const next = { ...known, edited: JSON.stringify({ ...edited, ...timing }), updated_at: now };
      return { ...next, next_at: nextOf(next, now) };
    });
  }

  pause(name: string): Promise<ScheduleView> {
    return this.#setPaused(name, 1);
  }

  /** Goes on with the next tick from now. */
  resume(name: string): Promise<ScheduleView> {
    return this.#setPaused(name, 0);
  }

  /** Runs once now. Pause and ticks stay as they are. @throws {@link TaskError} `schedule_not_found` */
  async runNow(name: string): Promise<ScheduleRun> {
    const run = await this.#handle(name, 'manual');
    if (run === undefined)
      throw new TaskError('schedule_not_found', `there is no schedule ${name}`);
    return run;
  }

  /** @throws {@link TaskError} `schedule_not_found` */
  async get(name: string): Promise<ScheduleView> {
    const view = (await this.list()).find((schedule) => schedule.name === name);
    if (view === undefined)
      throw new TaskError('schedule_not_found', `there is no schedule ${name}`);
    return view;
  }

  list(): Promise<readonly ScheduleView[]> {
    return this.#context.store.read(async (db) => {
      const rows = await db.selectFrom('task_schedules').selectAll().orderBy('name').execute();
      return rows.map(viewOfSchedule);
    });
  }

  /** One run of a schedule. @throws {@link TaskError} `schedule_not_found` */
  async run(name: string, id: string): Promise<ScheduleRun> {
    const [run] = await this.#readRuns((query) =>
      query.where('schedule', '=', name).where('id', '=', id),
    );
    if (run === undefined) {
      throw new TaskError('schedule_not_found', `schedule ${name} has no run ${id}`);
    }
    return run;
  }

  /** Newest first. @param options.before the last id of the page before */
  runs(
    name: string,
    options: { readonly limit?: number; readonly before?: string } = {},
  ): Promise<readonly ScheduleRun[]> {
    const { before } = options;
    return this.#readRuns((query) => {
      const own = query.where('schedule', '=', name);
      return (before === undefined ? own : own.where('id', '<', before))
        .orderBy('id', 'desc')
        .limit(Math.min(options.limit ?? 50, 200));
    });
  }

  #readRuns(narrow: (query: RunQuery) => RunQuery): Promise<readonly ScheduleRun[]> {
    const { store, now } = this.#context;
    return store.read(async (db) => {
      const rows = await narrow(db.selectFrom('task_schedule_runs').selectAll()).execute();
      const ids = rows.flatMap(({ task_id }) => (task_id === null ? [] : [task_id]));
      const tasks =
        ids.length === 0
          ? []
          : await db.selectFrom('tasks').selectAll().where('id', 'in', ids).execute();
      const facts = { ...this.#context, now: now() };
      const views = new Map(tasks.map((row) => [row.id, viewOf(row, facts)]));
      return rows.map((row) => viewOfRun(row, views.get(row.task_id ?? '') ?? null));
    });
  }

  /** Handles every tick that is due. Safe on any number of nodes at the same time. */
  async tick(): Promise<number> {
    const { store, now, logger } = this.#context;
    const due = await store.read((db) =>
      db.selectFrom('task_schedules').select('name').where('next_at', '<=', now()).execute(),
    );
    let handled = 0;
    for (const { name } of due) {
      try {
        if ((await this.#handle(name, 'tick')) !== undefined) handled += 1;
      } catch (error) {
        logger.error({ schedule: name, err: error }, 'a tick failed; trying again');
      }
    }
    return handled;
  }

  #assert(name: string, rule: ScheduleRule): void {
    assertRule(name, rule, this.#context.now());
    prepareRequest(this.#context, { kind: rule.kind, payload: rule.payload });
  }

  #setPaused(name: string, paused: 0 | 1): Promise<ScheduleView> {
    return this.#change(name, (row, now) => {
      const next = { ...assertKnown(name, row), paused, updated_at: now };
      return { ...next, next_at: nextOf(next, now) };
    });
  }

  async #change(
    name: string,
    change: (row: ScheduleTable | undefined, now: number) => ScheduleTable,
  ): Promise<ScheduleView> {
    const { store, now } = this.#context;
    return await store.transaction(async (trx) => {
      await store.lock(trx, [scheduleLock(name)]);
      const row = change(await findSchedule(trx, name), now());
      await trx
        .insertInto('task_schedules')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
        .execute();
      return viewOfSchedule(row);
    });
  }

  /** One tick, or one run by hand. Undefined when there is nothing to do any more. */
  async #handle(name: string, trigger: Trigger): Promise<ScheduleRun | undefined> {
    const { store } = this.#context;
    return await TaskUnit.run(this.#context, async (unit) => {
      // Requests lock a slot and never a schedule, so the lock on the slot that may follow is safe.
      await store.lock(unit.trx, [scheduleLock(name)]);
      const row = await findSchedule(unit.trx, name);
      if (row === undefined) return undefined;
      const rule = ruleOf(row);
      if (trigger === 'manual')
        return await this.#request(unit, { name, rule, trigger, at: unit.now });
      if (row.next_at === null || row.next_at > unit.now) return undefined;
      const next = { ...row, next_at: nextTick(rule, unit.now), last_at: row.next_at };
      await unit.trx
        .updateTable('task_schedules')
        .set({ next_at: next.next_at, last_at: next.last_at })
        .where('name', '=', name)
        .execute();
      const at = lastTick(rule, { from: row.next_at, until: unit.now });
      const isLate = unit.now - at > (rule.graceMs ?? 60_000);
      if (at > row.next_at || isLate) {
        await note(unit, { name, at: row.next_at, trigger, outcome: 'missed', reason: 'no_node' });
        if (rule.missed === 'skip' && isLate) {
          return await note(unit, { name, at, trigger, outcome: 'missed', reason: 'no_node' });
        }
      }
      return await this.#request(unit, { name, rule, trigger, at });
    });
  }

  async #request(
    unit: TaskUnit,
    { name, rule, trigger, at }: { name: string; rule: ScheduleRule; trigger: Trigger; at: number },
  ): Promise<ScheduleRun> {
    const overlap = rule.overlap ?? 'skip';
    if (overlap === 'skip' && trigger === 'tick' && (await isGoingOn(unit.trx, name))) {
      return await note(unit, { name, at, trigger, outcome: 'skipped', reason: 'still_running' });
    }
    try {
      const prepared = prepareRequest(this.#context, {
        kind: rule.kind,
        payload: rule.payload ?? null,
        schedule: name,
        delayMs: trigger === 'tick' ? Math.floor(this.#context.random() * (rule.jitterMs ?? 0)) : 0,
        ...(overlap === 'queue' ? { key: `schedule:${name}` } : {}),
        ...(trigger === 'tick' ? { idempotencyKey: `schedule:${name}:${at}` } : {}),
      });
      await this.#context.store.lock(unit.trx, locksOf([prepared]));
      const [answer] = await makeRequests(unit, [prepared]);
      const taskId = answer?.id ?? null;
      const run = await note(unit, {
        name,
        at,
        trigger,
        outcome: 'requested',
        reason: null,
        taskId,
      });
      return { ...run, task: answer?.task ?? null };
    } catch (error) {
      if (!(error instanceof TaskError)) throw error;
      return await note(unit, { name, at, trigger, outcome: 'refused', reason: error.message });
    }
  }
}

function scheduleLock(name: string): string {
  return `task-schedule:${name}`;
}

function findSchedule(
  trx: StoreTransaction<TaskTables>,
  name: string,
): Promise<ScheduleTable | undefined> {
  return trx.selectFrom('task_schedules').selectAll().where('name', '=', name).executeTakeFirst();
}

function assertKnown(name: string, row: ScheduleTable | undefined): ScheduleTable {
  if (row === undefined) throw new TaskError('schedule_not_found', `there is no schedule ${name}`);
  return row;
}

function ruleOf(row: ScheduleTable): ScheduleRule {
  const defined = JSON.parse(row.defined) as ScheduleRule;
  const edited = JSON.parse(row.edited) as Partial<ScheduleRule>;
  if (edited.cron === undefined && edited.everyMs === undefined) return { ...defined, ...edited };
  const { cron: _cron, everyMs: _everyMs, ...rest } = defined;
  return { ...rest, ...edited };
}

function isPaused(row: ScheduleTable): boolean {
  return row.paused === null ? ruleOf(row).enabled === false : row.paused === 1;
}

function nextOf(row: ScheduleTable, now: number): number | null {
  return isPaused(row) ? null : nextTick(ruleOf(row), now);
}

function viewOfSchedule(row: ScheduleTable): ScheduleView {
  return {
    name: row.name,
    rule: ruleOf(row),
    edited: Object.keys(JSON.parse(row.edited) as object),
    isPaused: isPaused(row),
    nextAt: row.next_at,
    lastAt: row.last_at,
  };
}

function viewOfRun(row: ScheduleRunTable, task: TaskView | null): ScheduleRun {
  const hasEnded = task !== null && task.endedAt !== null && task.startedAt !== null;
  return {
    id: row.id,
    scheduledFor: row.scheduled_for,
    trigger: row.trigger,
    outcome: row.outcome,
    reason: row.reason,
    task,
    durationMs: hasEnded ? (task.endedAt ?? 0) - (task.startedAt ?? 0) : null,
  };
}

async function isGoingOn(trx: StoreTransaction<TaskTables>, name: string): Promise<boolean> {
  const row = await trx
    .selectFrom('tasks')
    .select('id')
    .where('schedule', '=', name)
    .where('state', 'in', liveStates)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function note(
  unit: TaskUnit,
  run: {
    readonly name: string;
    readonly at: number;
    readonly trigger: Trigger;
    readonly outcome: ScheduleRunTable['outcome'];
    readonly reason: string | null;
    readonly taskId?: string | null;
  },
): Promise<ScheduleRun> {
  const row: ScheduleRunTable = {
    id: unit.context.ids.next(),
    schedule: run.name,
    scheduled_for: run.at,
    at: unit.now,
    trigger: run.trigger,
    outcome: run.outcome,
    reason: run.reason,
    task_id: run.taskId ?? null,
  };
  await unit.trx.insertInto('task_schedule_runs').values(row).execute();
  return viewOfRun(row, null);
}
