import type { StoreTransaction } from '@holdfast/store';
import type { TaskStep } from '@holdfast/protocol/tasks';
import type { TaskContext } from './task-context.ts';
import type { TaskDurationTable, TaskRow, TaskTables } from './task-module.ts';
import type { TaskUnit } from './task-unit.ts';

/** How long something took: a run, or one of its steps. The step is empty for the whole run. */
export type MeasuredDuration = Pick<TaskDurationTable, 'kind' | 'step'> & {
  readonly durationMs: number;
};

/** How many runs the mean remembers, about. */
const memory = 20;
/** Steps are named by workers, so their number is limited. */
const maxStepsOfKind = 200;

/** Of a kind that is well known, one duration in so many milliseconds is enough for each process. */
const recordEveryMs = 1000;
/** When a well known kind was recorded last. */
const recorded = new WeakMap<TaskContext['metrics'], Map<string, number>>();

/** Durations of a run that is completed now, and of its steps, where they are worth recording. */
export function measureRun(unit: TaskUnit, row: TaskRow): readonly MeasuredDuration[] {
  const last = recorded.get(unit.context.metrics)?.get(row.kind);
  if (last !== undefined && unit.now - last < recordEveryMs && unit.now >= last) return [];
  const { kind } = row;
  const measured = [{ kind, step: '', durationMs: unit.now - (row.started_at ?? unit.now) }];
  for (const { name, startedAt, endedAt } of row.steps === null
    ? []
    : (JSON.parse(row.steps) as TaskStep[])) {
    if (startedAt === null) continue;
    measured.push({ kind, step: name, durationMs: (endedAt ?? unit.now) - startedAt });
  }
  return measured;
}

/** Adds durations to the means of their kinds. */
export async function writeDurations(
  trx: StoreTransaction<TaskTables>,
  context: TaskContext,
  measured: readonly MeasuredDuration[],
): Promise<void> {
  if (measured.length === 0) return;
  const kinds = new Set(measured.map(({ kind }) => kind));
  const stored = await trx
    .selectFrom('task_durations')
    .selectAll()
    .where('kind', 'in', [...kinds])
    .execute();
  const known = Map.groupBy(stored, ({ kind }) => kind);
  for (const [kind, steps] of known) {
    const isWellKnown = steps.some(({ step, samples }) => step === '' && samples >= memory);
    if (isWellKnown) noteRecorded(context, kind);
  }
  const means = new Map(stored.map((one) => [nameOf(one), one]));
  const changed = new Map<string, TaskDurationTable>();
  for (const { kind, step, durationMs } of measured) {
    const name = nameOf({ kind, step });
    const old = means.get(name);
    const steps = known.get(kind)?.length ?? 0;
    if (old === undefined && steps >= maxStepsOfKind) continue;
    const samples = Math.min((old?.samples ?? 0) + 1, memory);
    const mean =
      old === undefined ? durationMs : old.mean_ms + (durationMs - old.mean_ms) / samples;
    const mine = { kind, step, samples, mean_ms: Math.round(mean) };
    means.set(name, mine);
    changed.set(name, mine);
  }
  if (changed.size === 0) return;
  await trx
    .insertInto('task_durations')
    // One order for all, so that two completions never wait crosswise.
    .values([...changed].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row))
    .onConflict((conflict) =>
      conflict.columns(['kind', 'step']).doUpdateSet((value) => ({
        samples: value.ref('excluded.samples'),
        mean_ms: value.ref('excluded.mean_ms'),
      })),
    )
    .execute();
}

function nameOf({ kind, step }: Pick<TaskDurationTable, 'kind' | 'step'>): string {
  return `${kind}\n${step}`;
}

/** Completions need not all write one row, one after the other. */
function noteRecorded(context: TaskContext, kind: string): void {
  const now = context.now();
  const kinds = recorded.get(context.metrics) ?? new Map<string, number>();
  recorded.set(context.metrics, kinds.set(kind, now));
  const [oldest] = kinds.keys();
  if (kinds.size > 1000 && oldest !== undefined) kinds.delete(oldest);
}
