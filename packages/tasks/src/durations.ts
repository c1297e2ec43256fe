import type { Step } from './progress.ts';
import type { TaskRow } from './task-module.ts';
import type { TaskUnit } from './task-unit.ts';

/** How many runs the mean remembers, about. */
const memory = 20;
/** Steps are named by workers, so their number is limited. */
const maxStepsOfKind = 200;
/** Once enough is known, one run in so many is recorded: completions need not all write one row. */
const sampleShare = 0.2;

/** Adds the duration of a completed run, and of its steps, to the means of its kind. */
export async function recordDurations(unit: TaskUnit, row: TaskRow): Promise<void> {
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
  if (isWellKnown && unit.context.random() >= sampleShare) return;
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
