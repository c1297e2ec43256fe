import type { Task } from '@holdfast/client/tasks';
import type { TaskLabels } from './task-labels.ts';

/** How a task looks: its color, and whether something moves. */
export type TaskTone = 'waiting' | 'busy' | 'warning' | 'success' | 'error' | 'over';

const tones: Readonly<Record<Task['status'], TaskTone>> = {
  queued: 'waiting',
  pending: 'waiting',
  retrying: 'warning',
  waiting_for_worker: 'warning',
  running: 'busy',
  cancelling: 'busy',
  waiting_for_children: 'busy',
  lost: 'warning',
  completed: 'success',
  partial: 'warning',
  failed: 'error',
  cancelled: 'over',
};

/** Nothing moves that was not heard of in time. */
export function toneOf({ status, isOverdue }: Task): TaskTone {
  const tone = tones[status];
  return isOverdue && (tone === 'busy' || tone === 'waiting') ? 'warning' : tone;
}

/** What a task is doing, in a few words, which change only when that does: they are said aloud. */
export function statusWords(task: Task, labels: TaskLabels, now: number): string {
  const { children, status, reason } = task;
  const since = clockTime(task.since, now, labels.locale);
  if (task.isOverdue && !task.isOver) {
    return labels.noNews(clockTime(task.expiresAt ?? task.since, now, labels.locale));
  }
  switch (status) {
    case 'queued':
      return labels.queued;
    case 'pending':
      return task.availableAt > now
        ? labels.startsAt(clockTime(task.availableAt, now, labels.locale))
        : labels.pending;
    case 'retrying':
      return withReason(labels.retrying(task), reason, labels);
    case 'waiting_for_worker':
      return labels.waitingForWorker(since);
    case 'running':
      return labels.running;
    case 'cancelling':
      return labels.cancelling;
    case 'waiting_for_children':
      return labels.waitingForChildren(children.open, children.total);
    case 'lost':
      return labels.lost;
    case 'completed':
      return labels.completed;
    case 'partial':
      return labels.partial(children.failed + children.partial, children.total);
    case 'failed':
      return withReason(labels.failed, reason, labels);
    case 'cancelled':
      return withReason(labels.cancelled, reason, labels);
  }
}

function withReason(words: string, code: string | null, labels: TaskLabels): string {
  const reason = code === null ? undefined : labels.reason(code);
  return reason === undefined ? words : `${words}: ${reason}`;
}

/** How much of a task is done, with its parts when its own work is. */
export function shareDone({ status, progress, children: { total, open } }: Task): number {
  if (status === 'completed') return 1;
  return status === 'waiting_for_children' && total > 0 ? (total - open) / total : progress;
}

/** What is said beside: how long it will take or took, and which attempt it is. */
export function asides(task: Task, labels: TaskLabels, now: number): readonly string[] {
  const { remainingMs, isOverdue, startedAt, endedAt, attempt, maxAttempts } = task;
  const words: string[] = [];
  if (task.status === 'retrying' && task.availableAt - now > noticeableMs) {
    words.push(labels.startsAt(clockTime(task.availableAt, now, labels.locale)));
  }
  if (remainingMs !== null && !isOverdue && task.status === 'running') {
    const leftMs = Math.max(remainingMs - Math.max(0, now - task.now), 1000);
    words.push(labels.left(duration(leftMs, labels.locale)));
  }
  if (task.isOver && startedAt !== null && endedAt !== null) {
    words.push(labels.took(duration(endedAt - startedAt, labels.locale)));
  }
  if (attempt > 1 && !task.isOver && task.status !== 'retrying') {
    words.push(labels.attempt(attempt, maxAttempts));
  }
  return words;
}

/** A pause that is shorter is over before it is read. */
const noticeableMs = 10_000;

/** The time of day, with the day when that is another one than now. */
function clockTime(at: number, now: number, locale: string | undefined): string {
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return new Intl.DateTimeFormat(locale, {
    timeStyle: 'short',
    ...(isToday ? {} : { dateStyle: 'medium' as const }),
  }).format(at);
}

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const;

/** A length of time in its greatest unit, rounded up. */
function duration(ms: number, locale: string | undefined): string {
  const [unit, lengthMs] = units.find(([, length]) => ms >= length * 1.5) ?? ['second', 1000];
  const value = Math.max(1, Math.round(ms / lengthMs));
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
}
