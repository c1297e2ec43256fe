import { assertScheduleRule, TaskError } from '@holdfast/tasks';
import type { OptionPath } from '../option-path.ts';
import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';
import { taskKeyFault } from '../task-key.ts';
import { toScheduleRule } from '../task-options.ts';

type KindConfig = Config['tasks']['kinds'][number];
type ScheduleConfig = Config['tasks']['schedules'][number];

const namePattern = /^\w[\w.:-]{0,99}$/;
/** Kinds that the program itself has. */
const reserved: ReadonlySet<string> = new Set(['batch']);
const shortestTokenBytes = 16;

/** Combinations of `tasks` that cannot work. */
export function checkTasks({ store, tasks }: Config, report: Report): void {
  if (!store.enabled || !tasks.enabled) return;
  const token = tasks.worker_token;
  if (!token.isEmpty && Buffer.byteLength(token.reveal()) < shortestTokenBytes) {
    report.problem(['tasks', 'worker_token'], {
      problem: 'is too short',
      reason: 'it could be guessed, and whoever has it takes the work and its data',
      remedy: 'Make one with: openssl rand -base64 32',
    });
  }
  checkEntryNames(['tasks', 'kinds'], tasks.kinds, report);
  checkEntryNames(['tasks', 'schedules'], tasks.schedules, report);
  tasks.kinds.forEach((kind, index) => checkKind(['tasks', 'kinds', index], kind, report));
  const kinds = new Set(tasks.kinds.map(({ name }) => name));
  tasks.schedules.forEach((schedule, index) => {
    checkSchedule(['tasks', 'schedules', index], schedule, { kinds, report });
  });
}

function checkEntryNames(
  list: OptionPath,
  entries: readonly { readonly name: string }[],
  report: Report,
): void {
  const seen = new Set<string>();
  entries.forEach(({ name }, index) => {
    const path: OptionPath = [...list, index, 'name'];
    if (!namePattern.test(name) || (list.at(-1) === 'kinds' && reserved.has(name))) {
      report.problem(path, {
        problem: name === '' ? 'is missing' : `is ${JSON.stringify(name)}`,
        reason: reserved.has(name)
          ? 'the program itself has a kind of this name'
          : 'a name has 1 to 100 letters, digits, "_", ".", ":" and "-"',
        remedy: 'Choose another name.',
      });
    } else if (seen.has(name)) {
      report.problem(path, {
        problem: `is ${JSON.stringify(name)} a second time`,
        reason: 'it would be unclear which of the entries is meant',
        remedy: 'Merge the entries or rename one of them.',
      });
    }
    seen.add(name);
  });
}

function checkKind(path: OptionPath, kind: KindConfig, report: Report): void {
  if (kind.heartbeat.ms >= kind.lease.ms) {
    report.problem([...path, 'heartbeat'], {
      problem: `is ${kind.heartbeat.toString()}, not shorter than lease (${kind.lease.toString()})`,
      reason: 'the lease would run out between two signs of life',
      remedy: 'Make it a third of lease, or remove it.',
    });
  }
  if (kind.backoff_min.ms > kind.backoff_max.ms) {
    report.problem([...path, 'backoff_min'], {
      problem: `is ${kind.backoff_min.toString()}, longer than backoff_max (${kind.backoff_max.toString()})`,
      reason: 'the pause between attempts grows from the one to the other',
      remedy: 'Make it shorter than backoff_max.',
    });
  }
  const fault = taskKeyFault(kind.key);
  if (fault !== undefined) {
    report.problem([...path, 'key'], {
      problem: fault,
      reason: 'a key is made of text, {user} and members of the payload',
      remedy: 'Write it like {payload.account} or {user}/{payload.month}.',
    });
  }
}

function checkSchedule(
  path: OptionPath,
  schedule: ScheduleConfig,
  { kinds, report }: { readonly kinds: ReadonlySet<string>; readonly report: Report },
): void {
  if (!kinds.has(schedule.kind)) {
    report.problem([...path, 'kind'], {
      problem: schedule.kind === '' ? 'is missing' : `is ${JSON.stringify(schedule.kind)}`,
      reason: 'it is not one of tasks.kinds, so its tasks would be refused',
      remedy: 'Add the kind to tasks.kinds, or correct the name.',
    });
  }
  try {
    assertScheduleRule(schedule.name, toScheduleRule(schedule), Date.now());
  } catch (error) {
    const isJson = error instanceof SyntaxError;
    if (!isJson && !(error instanceof TaskError)) throw error;
    report.problem(isJson ? [...path, 'payload'] : path, {
      problem: isJson ? 'is not JSON' : 'can never run or cannot be read',
      reason: isJson ? 'tasks are given it as JSON' : error.message,
      remedy: isJson
        ? 'Write it as JSON, such as {"account": 7}.'
        : 'Set cron (such as "30 2 * * *") or every (such as "1h"), one of the two.',
    });
  }
}
