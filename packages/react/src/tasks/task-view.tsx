import type { ReactNode } from 'react';
import type { Task, TaskStep } from '@holdfast/client/tasks';
import { Icon } from '../theme/icons.tsx';
import { useServerNow } from './server-now.ts';
import { useTaskLabels } from './task-labels.ts';
import { asides, shareDone, statusWords, type TaskTone, toneOf } from './task-words.ts';

const icons = {
  waiting: 'clock',
  busy: 'spinner',
  warning: 'warning',
  success: 'success',
  error: 'error',
  over: 'stop',
} as const satisfies Record<TaskTone, string>;

/** The sign of a task's state; says nothing to screen readers, which read the words. */
export function TaskSign({ task }: { readonly task: Task }): ReactNode {
  const tone = toneOf(task);
  const isRetry = task.status === 'retrying' && !task.isOverdue;
  return (
    <span className="hf-task-sign" aria-hidden="true">
      <Icon name={isRetry ? 'retry' : icons[tone]} />
    </span>
  );
}

/** The state in words, said aloud when it changes, and what else is known of it. */
export function TaskState({ task }: { readonly task: Task }): ReactNode {
  const labels = useTaskLabels();
  const now = useServerNow(!task.isOver);
  const words = asides(task, labels, now);
  const percent = percentOf(task, labels.locale);
  return (
    <p className="hf-task-state">
      <span role="status">{statusWords(task, labels, now)}</span>
      {words.map((aside) => (
        <span key={aside}>{aside}</span>
      ))}
      {percent !== undefined && <span className="hf-task-percent">{percent}</span>}
    </p>
  );
}

function percentOf(task: Task, locale: string | undefined): string | undefined {
  const share = shareDone(task);
  if (task.isOver || share === 0) return undefined;
  return new Intl.NumberFormat(locale, { style: 'percent' }).format(share);
}

/**
 * The progress bar. Without any progress it moves from side to side, as long as it is known that
 * something goes on.
 */
export function TaskBar({
  task,
  labelledBy,
}: {
  readonly task: Task;
  readonly labelledBy: string;
}): ReactNode {
  const labels = useTaskLabels();
  const tone = toneOf(task);
  const isBusy = tone === 'busy';
  const shown = shareDone(task);
  const isUnknown = !task.isOver && shown === 0;
  const current = task.steps?.findIndex(({ state }) => state === 'current') ?? -1;
  const step = task.steps?.[current];
  const percent = Math.round(shown * 100);
  const words = [
    new Intl.NumberFormat(labels.locale, { style: 'percent' }).format(shown),
    ...(step === undefined ? [] : [`${current + 1}/${task.steps?.length ?? 0} ${step.name}`]),
  ];
  return (
    <div
      className="hf-task-bar"
      role="progressbar"
      aria-labelledby={labelledBy}
      aria-valuemin={0}
      aria-valuemax={100}
      data-moving={isBusy && isUnknown}
      {...(isUnknown ? {} : { 'aria-valuenow': percent, 'aria-valuetext': words.join(', ') })}
    >
      <span style={{ inlineSize: isBusy && isUnknown ? undefined : `${shown * 100}%` }} />
    </div>
  );
}

/** The plan, with what is done of it. */
function TaskSteps({ steps }: { readonly steps: readonly TaskStep[] }): ReactNode {
  const labels = useTaskLabels();
  const words = {
    completed: labels.stepDone,
    current: labels.stepCurrent,
    pending: labels.stepPending,
  };
  return (
    <ol className="hf-task-steps" aria-label={labels.steps} role="list">
      {steps.map(({ name, state }) => (
        <li key={name} data-state={state} aria-current={state === 'current' ? 'step' : undefined}>
          <span className="hf-task-step-sign" aria-hidden="true">
            {state === 'completed' && <Icon name="check" />}
          </span>
          <span dir="auto">{name}</span>
          <span className="hf-hidden">, {words[state]}</span>
        </li>
      ))}
    </ol>
  );
}

/** The message is of the attempt that goes on, not of one that has ended. */
function isAtWork({ status }: Task): boolean {
  return status === 'running' || status === 'cancelling' || status === 'lost';
}

/** What a worker says, what went wrong, and the steps. */
export function TaskDetails({ task }: { readonly task: Task }): ReactNode {
  return (
    <>
      {task.message !== null && isAtWork(task) && (
        <p className="hf-task-message" dir="auto">
          {task.message}
        </p>
      )}
      {task.error !== null && (task.status === 'failed' || task.status === 'retrying') && (
        <p className="hf-task-error" dir="auto">
          {task.error}
        </p>
      )}
      {task.steps !== null && <TaskSteps steps={task.steps} />}
    </>
  );
}

/** A note above what it is about. */
export function TaskNotice({
  kind,
  children,
}: {
  readonly kind: 'late' | 'problem';
  readonly children: ReactNode;
}): ReactNode {
  return (
    <div className={`hf-task-notice hf-task-${kind}`}>
      <Icon name={kind === 'late' ? 'offline' : 'error'} />
      {children}
    </div>
  );
}
