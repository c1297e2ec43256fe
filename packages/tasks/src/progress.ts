import type { TaskStep } from '@holdfast/protocol/tasks';
import { TaskError } from './errors.ts';

/** A part of the work. */
export interface StepPlan {
  readonly name: string;
  /** Share of the whole, in any unit. @defaultValue 1 */
  readonly weight?: number;
  /** Longest time in milliseconds; then the attempt is over. @defaultValue no limit of its own */
  readonly maxMs?: number;
}

/** How far an attempt is. */
export interface ProgressUpdate {
  /** Replaces the plan. Given once, at the beginning, as a rule. */
  readonly steps?: readonly StepPlan[];
  /** Step that is being worked on; those before it count as done. */
  readonly step?: string;
  /** From 0 to 1: of the current step, or of the whole when there are no steps. */
  readonly fraction?: number;
  /** For people; cut to 500 characters. */
  readonly message?: string;
}

export interface ProgressState {
  readonly steps: readonly TaskStep[] | null;
  /** 0 to 10000. */
  readonly progress: number;
  readonly message: string | null;
}

/** All of the work. */
export const wholeProgress = 10_000;
const maxSteps = 100;
const maxMessage = 500;

/**
 * Applies what a worker reports. Pure. Progress never goes back within an attempt: a smaller value
 * leaves it where it is. A jump to an earlier step is refused, since it would say that finished work
 * is not finished.
 * @throws {@link TaskError} `task_bad_progress`
 */
export function advance(state: ProgressState, update: ProgressUpdate, now: number): ProgressState {
  const { fraction } = update;
  if (fraction !== undefined && !(fraction >= 0 && fraction <= 1)) {
    throw new TaskError('task_bad_progress', `the fraction ${fraction} is not from 0 to 1`);
  }
  let steps = update.steps === undefined ? state.steps : plan(update.steps);
  if (update.step !== undefined) steps = moveTo(steps, update.step, now);
  const measured = measure(steps, fraction);
  return {
    steps,
    progress: Math.max(state.progress, measured ?? state.progress),
    message: update.message === undefined ? state.message : clean(update.message),
  };
}

/** Every step done, when the task completed. */
export function finishSteps(steps: readonly TaskStep[], now: number): readonly TaskStep[] {
  return steps.map((step) =>
    step.state === 'completed'
      ? step
      : { ...step, state: 'completed', startedAt: step.startedAt ?? now, endedAt: now },
  );
}

/** When the current step has taken too long, in Unix milliseconds; null when it may take its time. */
export function stepDeadline(steps: readonly TaskStep[] | null): number | null {
  const { startedAt = null, maxMs = null } = steps?.find(({ state }) => state === 'current') ?? {};
  return startedAt === null || maxMs === null ? null : startedAt + maxMs;
}

function plan(steps: readonly StepPlan[]): readonly TaskStep[] {
  const names = new Set(steps.map((step) => step.name));
  if (steps.length === 0 || steps.length > maxSteps || names.size !== steps.length) {
    throw new TaskError(
      'task_bad_progress',
      `${steps.length} steps with ${names.size} names: 1 to ${maxSteps} with different names`,
    );
  }
  return steps.map(({ name, weight = 1, maxMs }) => {
    if (typeof name !== 'string' || name === '' || name.length > 200) {
      throw new TaskError('task_bad_progress', 'a step has a name of 1 to 200 characters');
    }
    if (!(weight > 0 && weight <= 1e9)) {
      throw new TaskError(
        'task_bad_progress',
        `step ${name}: the weight ${weight} is not positive`,
      );
    }
    if (maxMs !== undefined && !(maxMs >= 1 && maxMs <= Number.MAX_SAFE_INTEGER / 4)) {
      throw new TaskError('task_bad_progress', `step ${name}: maxMs ${maxMs} is no duration`);
    }
    return {
      name,
      weight,
      maxMs: maxMs === undefined ? null : Math.floor(maxMs),
      state: 'pending',
      startedAt: null,
      endedAt: null,
    };
  });
}

function moveTo(steps: readonly TaskStep[] | null, name: string, now: number): readonly TaskStep[] {
  const target = steps?.findIndex((step) => step.name === name) ?? -1;
  if (steps === null || target === -1) {
    throw new TaskError('task_bad_progress', `there is no step ${JSON.stringify(name)}`);
  }
  if (steps[target]?.state === 'completed') {
    throw new TaskError('task_bad_progress', `step ${JSON.stringify(name)} is completed already`);
  }
  return steps.map((step, index) => {
    if (index < target && step.state !== 'completed') {
      return { ...step, state: 'completed', startedAt: step.startedAt ?? now, endedAt: now };
    }
    if (index === target && step.state === 'pending') {
      return { ...step, state: 'current', startedAt: now };
    }
    return step;
  });
}

function measure(
  steps: readonly TaskStep[] | null,
  fraction: number | undefined,
): number | undefined {
  if (steps === null) {
    return fraction === undefined ? undefined : Math.floor(fraction * wholeProgress);
  }
  let total = 0;
  let done = 0;
  for (const { weight, state } of steps) {
    total += weight;
    if (state === 'completed') done += weight;
    if (state === 'current') done += weight * (fraction ?? 0);
  }
  return Math.floor((done / total) * wholeProgress);
}

/** Measured mean durations of a kind: of the whole under '', of steps under their names. */
export type Durations = ReadonlyMap<string, number>;

/**
 * Milliseconds until the end, from real durations: of this run where it has come far enough to tell,
 * of earlier runs otherwise. Null when nothing is known.
 */
export function estimateRemainingMs(
  state: ProgressState,
  run: { readonly elapsedMs: number; readonly now: number },
  durations: Durations,
): number | null {
  const share = state.progress / wholeProgress;
  const bySteps = remainingOfSteps(state, run.now, durations);
  if (bySteps !== null) return bySteps;
  const mean = durations.get('');
  if (share > 0) {
    const byPace = (run.elapsedMs / share) * (1 - share);
    if (mean === undefined) return Math.round(byPace);
    // The further the run has come, the more its own pace tells.
    return Math.round(byPace * share + mean * (1 - share) * (1 - share));
  }
  return mean === undefined ? null : Math.max(0, Math.round(mean - run.elapsedMs));
}

/** Null unless every step that is left has been measured. */
function remainingOfSteps(
  { steps }: ProgressState,
  now: number,
  durations: Durations,
): number | null {
  if (steps === null) return null;
  let remaining = 0;
  for (const step of steps) {
    if (step.state === 'completed') continue;
    const mean = durations.get(step.name);
    if (mean === undefined) return null;
    const spent = step.startedAt === null ? 0 : now - step.startedAt;
    remaining += Math.max(mean - spent, 0);
  }
  return Math.round(remaining);
}

/** Databases keep no NUL. */
function clean(message: string): string {
  return message.replaceAll('\0', '\u{fffd}').slice(0, maxMessage);
}
