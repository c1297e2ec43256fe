import { wholeProgress, advance } from '../progress.ts';
import { toJson } from '../task-json.ts';
import type { TaskRow } from '../task-module.ts';
import type { TaskUnit } from '../task-unit.ts';
import { isOver, stepsOf } from '../task-view.ts';
import { endAttempt, newRow, settle, type Ending } from '../transitions.ts';
import type { JobSighting, JobSource } from './job-source.ts';

/** The queue knows how long a job may run; the task only has to have a limit. */
const maxRuntimeMs = 365 * 86_400_000;
/** A job that nobody has seen waiting for so long is given up. */
const waitingMs = 86_400_000;
const maxPayloadBytes = 16_384;

const removed: Ending = {
  state: 'cancelled',
  reason: 'removed',
  error: 'the job is no longer in its queue, and how it ended was not seen',
};

/**
 * Makes tasks say what was seen of jobs. Idempotent: seeing the same again changes nothing but the end
 * of the lease. What is over stays over; a job that lives after its task was over is a new task.
 */
export async function applySightings(
  unit: TaskUnit,
  source: JobSource,
  sightings: readonly JobSighting[],
): Promise<void> {
  const keys = sightings.map(({ id }) => keyOf(source, id));
  const rows = new Map<string, TaskRow>();
  if (keys.length > 0) {
    const found = await unit.select((query) => query.where('idempotency_key', 'in', keys));
    for (const row of found) rows.set(row.idempotency_key ?? '', row);
  }
  for (const sighting of sightings) {
    const key = keyOf(source, sighting.id);
    const row = await taskOf(unit, { source, sighting, key, known: rows.get(key) });
    if (row === undefined) continue;
    rows.set(key, row);
    await applySighting(unit, source, { row, sighting });
  }
}

/** The id of a job in the key of its task. */
export function jobIdOf(source: JobSource, row: Pick<TaskRow, 'idempotency_key'>): string {
  return (row.idempotency_key ?? '').slice(source.name.length + 1);
}

function keyOf(source: JobSource, id: string): string {
  return `${source.name}/${id}`;
}

async function taskOf(
  unit: TaskUnit,
  look: {
    readonly source: JobSource;
    readonly sighting: JobSighting;
    readonly key: string;
    readonly known: TaskRow | undefined;
  },
): Promise<TaskRow | undefined> {
  const { source, sighting, key, known } = look;
  if (known !== undefined && !isAnother(known, sighting)) return known;
  if (known !== undefined) {
    // The newest task has the plain key.
    known.idempotency_key = `${key}/${known.id}`;
    await settle(unit, known, removed);
  }
  if (sighting.state === 'gone') return undefined;
  const row = newRow(unit, {
    kind: source.kind,
    owner: sighting.owner,
    payload: boundedJson(sighting.payload, 'payload'),
    maxAttempts: sighting.maxAttempts,
  });
  row.idempotency_key = key;
  row.source = source.name;
  row.created_at = sighting.createdAt ?? unit.now;
  row.available_at = sighting.availableAt;
  row.expires_at = waitsUntil(unit, row);
  unit.add(row, 'pending');
  return row;
}

/** Whether this is not the run that the task stands for: the id was used again, or a job that was over was retried by hand. */
function isAnother(known: TaskRow, { state, attempt, createdAt }: JobSighting): boolean {
  if (state === 'gone') return false;
  if (createdAt !== null && createdAt !== known.created_at) return true;
  return isOver(known) && (attempt > known.attempt || state === 'waiting' || state === 'active');
}

async function applySighting(
  unit: TaskUnit,
  source: JobSource,
  { row, sighting }: { readonly row: TaskRow; readonly sighting: JobSighting },
): Promise<void> {
  if (isOver(row)) return;
  row.max_attempts = Math.max(sighting.maxAttempts, 1);
  switch (sighting.state) {
    case 'waiting':
      wait(unit, { row, sighting });
      return;
    case 'active':
      run(unit, source, { row, sighting });
      return;
    case 'gone':
      await settle(unit, row, removed);
      return;
    case 'completed':
    case 'failed':
    case 'cancelled':
      if (row.state !== 'running' && sighting.startedAt !== null) {
        begin(unit, source, { row, sighting });
      }
      report(unit, { row, sighting });
      await settle(unit, row, {
        state: sighting.state,
        reason: sighting.state === 'failed' ? 'error' : null,
        error: sighting.error,
        ...(sighting.state === 'completed'
          ? { result: boundedJson(sighting.result, 'result') }
          : {}),
      });
  }
}

function wait(
  unit: TaskUnit,
  { row, sighting }: { readonly row: TaskRow; readonly sighting: JobSighting },
): void {
  if (row.state === 'running') {
    waitAgain(unit, { row, sighting });
  } else if (row.available_at !== sighting.availableAt) {
    row.available_at = sighting.availableAt;
    unit.touch(row, 'pending');
  }
  const expiresAt = waitsUntil(unit, row);
  // Written now and then, not at every look.
  if ((row.expires_at ?? 0) > expiresAt - waitingMs / 24) return;
  row.expires_at = expiresAt;
}

/** The attempt is over, and another one is to come or has begun. */
function waitAgain(
  unit: TaskUnit,
  { row, sighting }: { readonly row: TaskRow; readonly sighting: JobSighting },
): void {
  const { error } = sighting;
  const reason = error === null ? 'stalled' : 'error';
  endAttempt(unit, row, { reason, error });
  row.state = 'pending';
  row.reason = reason;
  row.error = error;
  row.available_at = sighting.availableAt;
  row.expires_at = waitsUntil(unit, row);
  unit.touch(row, 'retrying');
  unit.context.metrics.retried += 1;
}

function waitsUntil(unit: TaskUnit, row: TaskRow): number {
  return Math.max(unit.now, row.available_at) + waitingMs;
}

function run(
  unit: TaskUnit,
  source: JobSource,
  { row, sighting }: { readonly row: TaskRow; readonly sighting: JobSighting },
): void {
  if (row.state === 'running' && sighting.attempt > row.attempt) {
    waitAgain(unit, { row, sighting });
  }
  if (row.state === 'pending') {
    // A job without a worker waits for its queue to notice; it was said to be lost already.
    if (!sighting.isAlive) return;
    begin(unit, source, { row, sighting });
  }
  report(unit, { row, sighting });
  if (!sighting.isAlive) return;
  const expiresAt = unit.now + source.leaseMs;
  if ((row.expires_at ?? 0) > expiresAt - source.leaseMs / 3) return;
  row.beat_at = unit.now;
  row.expires_at = expiresAt;
  unit.touch(row, 'alive');
}

function begin(
  unit: TaskUnit,
  source: JobSource,
  { row, sighting }: { readonly row: TaskRow; readonly sighting: JobSighting },
): void {
  const startedAt = Math.min(sighting.startedAt ?? unit.now, unit.now);
  row.state = 'running';
  row.reason = null;
  row.error = null;
  row.attempt = Math.max(sighting.attempt, row.attempt, 1);
  row.token += 1;
  row.worker_id = sighting.worker.slice(0, 200);
  row.started_at = startedAt;
  row.first_started_at ??= startedAt;
  row.ended_at = null;
  row.beat_at = unit.now;
  row.deadline_at = unit.now + maxRuntimeMs;
  row.expires_at = unit.now + source.leaseMs;
  row.progress = 0;
  row.steps = null;
  row.message = null;
  unit.touch(row, 'started');
}

/** Progress that makes no sense is left out: the job is none the worse for it. */
function report(
  unit: TaskUnit,
  { row, sighting }: { readonly row: TaskRow; readonly sighting: JobSighting },
): void {
  const { progress } = sighting;
  if (progress === null || row.state !== 'running') return;
  const { fraction = 0 } = progress;
  if (!(fraction >= 0 && fraction <= 1)) return;
  const next = advance(
    { steps: stepsOf(row), progress: row.progress, message: row.message },
    {
      fraction: Math.min(fraction, (wholeProgress - 1) / wholeProgress),
      ...(progress.message === undefined ? {} : { message: progress.message }),
    },
    unit.now,
  );
  if (next.progress === row.progress && next.message === row.message) return;
  row.progress = next.progress;
  row.message = next.message;
  unit.touch(row, 'progress');
}

/** What does not fit is left in its queue. */
function boundedJson(value: unknown, what: string): string {
  try {
    return toJson(value ?? null, { what, maxBytes: maxPayloadBytes });
  } catch {
    return JSON.stringify({ omitted: `the ${what} is no JSON of up to ${maxPayloadBytes} bytes` });
  }
}
