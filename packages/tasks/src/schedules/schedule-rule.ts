import { Cron } from 'croner';
import { TaskError } from '../errors.ts';

/** When and how a schedule runs. Either `cron` or `everyMs`. */
export interface ScheduleRule {
  /** Name of a kind. */
  readonly kind: string;
  readonly payload?: unknown;
  /** Five or six fields. A time that a change of clocks skips runs right after the gap. */
  readonly cron?: string;
  /** Counted from the Unix epoch, so that all nodes agree. At least 1000. */
  readonly everyMs?: number;
  /** IANA name, for `cron`. @defaultValue 'UTC' */
  readonly timeZone?: string;
  /** Each run starts up to so many milliseconds late, at random. @defaultValue 0 */
  readonly jitterMs?: number;
  /** While the run before is not over: none, one that waits for it, or both at once. @defaultValue 'skip' */
  readonly overlap?: 'skip' | 'queue' | 'allow';
  /** After a time in which no node was there: one run for all that was missed, or none. @defaultValue 'once' */
  readonly missed?: 'once' | 'skip';
  /** So late a tick is not missed yet. @defaultValue 60000 */
  readonly graceMs?: number;
  /** Registered all the same when false: it is listed, paused, and can be resumed. @defaultValue true */
  readonly enabled?: boolean;
}

const maxJitterMs = 86_400_000;

/** @throws {@link TaskError} `schedule_invalid` saying why */
export function assertRule(name: string, rule: ScheduleRule, now: number): void {
  const invalid = (why: string, cause?: unknown): TaskError =>
    new TaskError('schedule_invalid', `schedule ${name}: ${why}`, { cause });
  if ((rule.cron === undefined) === (rule.everyMs === undefined)) {
    throw invalid('either cron or everyMs is needed, and not both');
  }
  if (rule.everyMs !== undefined && !(Number.isSafeInteger(rule.everyMs) && rule.everyMs >= 1000)) {
    throw invalid(`everyMs (${rule.everyMs}) must be a whole number from 1000`);
  }
  const { jitterMs = 0, graceMs = 0 } = rule;
  if (!(jitterMs >= 0 && jitterMs <= maxJitterMs))
    throw invalid('jitterMs must be from 0 to a day');
  if (!(graceMs >= 0)) throw invalid('graceMs must be from 0');
  if (!['skip', 'queue', 'allow'].includes(rule.overlap ?? 'skip')) {
    throw invalid('overlap must be skip, queue or allow');
  }
  if (!['once', 'skip'].includes(rule.missed ?? 'once'))
    throw invalid('missed must be once or skip');
  try {
    Intl.DateTimeFormat('en', { timeZone: rule.timeZone ?? 'UTC' });
  } catch (error) {
    throw invalid(`there is no time zone ${JSON.stringify(rule.timeZone)}`, error);
  }
  let next: number | null;
  try {
    next = nextTick(rule, now);
  } catch (error) {
    throw invalid(
      `the cron pattern ${JSON.stringify(rule.cron)} cannot be read: ${String(error)}`,
      error,
    );
  }
  if (next === null) throw invalid('it would never run');
}

/** The first tick after a time, or null when there is none. Unix milliseconds. */
export function nextTick(rule: ScheduleRule, after: number): number | null {
  if (rule.everyMs !== undefined) return (Math.floor(after / rule.everyMs) + 1) * rule.everyMs;
  const cron = new Cron(rule.cron ?? '', { timezone: rule.timeZone ?? 'UTC', paused: true });
  return cron.nextRun(new Date(after))?.getTime() ?? null;
}

/** The last tick at or before a time, counted from one that is known. */
export function lastTick(
  rule: ScheduleRule,
  { from, until }: { from: number; until: number },
): number {
  if (rule.everyMs !== undefined) return Math.floor(until / rule.everyMs) * rule.everyMs;
  const cron = new Cron(rule.cron ?? '', { timezone: rule.timeZone ?? 'UTC', paused: true });
  const [previous] = cron.previousRuns(1, new Date(until + 1));
  return Math.max(from, previous?.getTime() ?? from);
}
