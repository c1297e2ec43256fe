import type { Step } from './progress.ts';
import type { TaskRow } from './task-module.ts';
import type { TaskContext } from './task-context.ts';
import type { TaskUnit } from './task-unit.ts';

/** How many runs the mean remembers, about. */
const memory = 20;
/** Steps are named by workers, so their number is limited. */
const maxStepsOfKind = 200;

/** Of a kind that is well known, one duration in so many milliseconds is enough for each process. */
const recordEveryMs = 1000;
/** When a well known kind was recorded last. */
const recorded = new WeakMap<TaskContext['metrics'], Map<string, number>>();

/** Adds the duration of a completed run, and of its steps, to the means of its kind. */
export async function recordDurations(unit: TaskUnit, row: TaskRow): Promise<void> {
  const last = recorded.get(unit.context.metrics)?.get(row.kind);
  if (last !== undefined && unit.now - last < recordEveryMs && unit.now >= last) return;
  const measured = new Map([['', unit.now - (row.started_at ?? unit.now)]]);
  for (const step of row.steps === null ? [] : (JSON.parse(row.steps) as Step[])) {
    if (step.startedAt !== null)
      measured.set(step.name, (step.endedAt ?? unit.now) - step.startedAt);
  }
  const known = await unit.trx
    .selectFrom('task_durations')
    .selectAll()
    .where('kind', '=', row.kind)
    .execute();
  const isWellKnown = known.some((one) => one.step === '' && one.samples >= memory);
  if (isWellKnown) noteRecorded(unit, row.kind);
  const rows = [...measured]
    .filter(([step]) => known.length < maxStepsOfKind || known.some((one) => one.step === step))
    .map(([step, durationMs]) => {
      const old = known.find((one) => one.step === step);
      const samples = Math.min((old?.samples ?? 0) + 1, memory);
      const mean =
        old === undefined ? durationMs : old.mean_ms + (durationMs - old.mean_ms) / samples;
      return { kind: row.kind, step, samples, mean_ms: Math.round(mean) };
    })
    // One order for all, so that two completions never wait crosswise.
    .toSorted((a, b) => (a.step < b.step ? -1 : 1));
  if (rows.length === 0) return;
  await unit.trx
    .insertInto('task_durations')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['kind', 'step']).doUpdateSet((value) => ({
        samples: value.ref('excluded.samples'),
        mean_ms: value.ref('excluded.mean_ms'),
      })),
    )
    .execute();
}

/** Completions need not all write one row, one after the other. */
function noteRecorded({ context, now }: TaskUnit, kind: string): void {
  const kinds = recorded.get(context.metrics) ?? new Map<string, number>();
  recorded.set(context.metrics, kinds.set(kind, now));
  const [oldest] = kinds.keys();
  if (kinds.size > 1000 && oldest !== undefined) kinds.delete(oldest);
}
