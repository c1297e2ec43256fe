import {
  unionWindow,
  type KindOptions,
  type ScheduleRule,
  type TasksOptions,
  type Window,
} from '@holdfast/tasks';
import type { Config } from './schema.ts';
import { compileTaskKey } from './task-key.ts';

type KindConfig = Config['tasks']['kinds'][number];
type ScheduleConfig = Config['tasks']['schedules'][number];

/** The part of the configuration that says which tasks there are and how they behave. */
export function toTaskOptions({
  tasks,
}: Config): Pick<TasksOptions, 'kinds' | 'retention' | 'sweepMs' | 'pollMs' | 'stopGraceMs'> {
  return {
    kinds: Object.fromEntries(tasks.kinds.map((kind) => [kind.name, toKindOptions(kind)])),
    retention: { keepMs: tasks.retention.max_age.ms, maxEnded: tasks.retention.max_ended },
    sweepMs: tasks.sweep_interval.ms,
    pollMs: tasks.poll_interval.ms,
    stopGraceMs: tasks.stop_grace.ms,
  };
}

/** A kind of the configuration as the package of tasks takes it. */
function toKindOptions(kind: KindConfig): KindOptions {
  return {
    leaseMs: kind.lease.ms,
    ...(kind.heartbeat.ms > 0 && { heartbeatMs: kind.heartbeat.ms }),
    maxRuntimeMs: kind.max_runtime.ms,
    pendingDeadlineMs: kind.pending_deadline.ms,
    cancelGraceMs: kind.cancel_grace.ms,
    attempts: kind.attempts,
    backoff: { baseMs: kind.backoff_min.ms, maxMs: kind.backoff_max.ms },
    ...(kind.key !== '' && { key: compileTaskKey(kind.key) }),
    ...(kind.merge === 'window' && { merge: uniteWindows }),
    isOpenToUsers: kind.allow_request_for_user,
    maxLivePerUser: kind.max_live_per_user,
    concurrency: {
      ...(kind.max_running > 0 && { total: kind.max_running }),
      ...(kind.max_running_per_user > 0 && { perOwner: kind.max_running_per_user }),
      ...(kind.max_running_per_lane > 0 && { perLane: kind.max_running_per_lane }),
    },
    maxPayloadBytes: kind.max_payload_size,
    maxResultBytes: kind.max_result_size,
    maxOutputBytes: kind.max_output_size,
  };
}

/** The rules of the configured schedules, by name. */
export function toScheduleRules({ tasks }: Config): ReadonlyMap<string, ScheduleRule> {
  return new Map(tasks.schedules.map((schedule) => [schedule.name, toScheduleRule(schedule)]));
}

/** @throws SyntaxError when the payload is not JSON */
export function toScheduleRule(schedule: ScheduleConfig): ScheduleRule {
  return {
    kind: schedule.kind,
    ...(schedule.payload !== '' && { payload: JSON.parse(schedule.payload) as unknown }),
    ...(schedule.cron !== '' && { cron: schedule.cron }),
    ...(schedule.every.ms > 0 && { everyMs: schedule.every.ms }),
    timeZone: schedule.time_zone,
    jitterMs: schedule.jitter.ms,
    overlap: schedule.overlap,
    missed: schedule.missed,
    graceMs: schedule.grace.ms,
    enabled: schedule.enabled,
  };
}

/** The newer payload, whose `window` covers those of both. */
function uniteWindows(waiting: unknown, incoming: unknown): unknown {
  const [older, newer] = [windowOf(waiting), windowOf(incoming)];
  // A request without a window is about everything, and so is what is left of both.
  if (older === undefined || newer === undefined) {
    return older === undefined && newer !== undefined ? withoutWindow(incoming) : incoming;
  }
  return { ...(incoming as object), window: unionWindow(older, newer) };
}

function withoutWindow(payload: unknown): unknown {
  const { window: _window, ...rest } = payload as Readonly<Record<string, unknown>>;
  return rest;
}

function windowOf(payload: unknown): Window<string | number> | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined;
  const { window } = payload as { readonly window?: unknown };
  if (typeof window !== 'object' || window === null) return undefined;
  const { from, to } = window as { readonly from?: unknown; readonly to?: unknown };
  return { from: endOf(from), to: endOf(to) };
}

function endOf(value: unknown): string | number | null {
  return typeof value === 'string' || typeof value === 'number' ? value : null;
}
