import { type ReactNode, useId, useState } from 'react';
import type { TaskSnapshot } from '@holdfast/client/tasks';
import { ThemeStyle } from '../theme/theme-style.tsx';
import { taskCss } from './task-css.ts';
import {
  defaultTaskLabels,
  TaskLabelsContext,
  type TaskLabels,
  useTaskLabels,
} from './task-labels.ts';
import { TaskBar, TaskDetails, TaskNotice, TaskSign, TaskState } from './task-view.tsx';
import { toneOf } from './task-words.ts';
import { useTask } from './use-task.ts';

/** Which task is shown, and how. */
export interface TaskProgressProps {
  readonly id: string;
  /** What it is called. @defaultValue what the labels say */
  readonly title?: string | undefined;
  /** Whether it can be cancelled here. @defaultValue true */
  readonly canCancel?: boolean | undefined;
  /** Words in another language; those that are missing are English. */
  readonly labels?: Partial<TaskLabels> | undefined;
  /** Of the page's Content-Security-Policy, where that asks for one. */
  readonly nonce?: string | undefined;
  /** Of the element around everything. */
  readonly className?: string | undefined;
  /** Stands below, for example a link to the result. */
  readonly children?: ReactNode;
}

/** How far one task is. What it shows is never older than the server said it was good for. */
export function TaskProgress({ labels, nonce, className, ...rest }: TaskProgressProps): ReactNode {
  return (
    <TaskLabelsContext value={{ ...defaultTaskLabels, ...labels }}>
      <ThemeStyle name="tasks" css={taskCss} nonce={nonce} />
      <Progress className={`hf hf-task ${className ?? ''}`} {...rest} />
    </TaskLabelsContext>
  );
}

function Progress({
  id,
  title,
  canCancel = true,
  className,
  children,
}: Omit<TaskProgressProps, 'labels' | 'nonce'>): ReactNode {
  const labels = useTaskLabels();
  const headingId = useId();
  const watched = useTask(id);
  const { task, status, problem, isDeleted } = watched;
  const [hasFailed, setFailed] = useState(false);
  if (task === undefined) {
    return (
      <Missing className={className} status={status} problem={problem} onRetry={watched.refresh} />
    );
  }
  const name = title ?? labels.name(task);
  const cancel = (): void => {
    setFailed(false);
    watched.cancel().catch(() => setFailed(true));
  };
  return (
    <section
      className={className}
      aria-labelledby={headingId}
      data-tone={toneOf(task)}
      data-status={task.status}
    >
      <div className="hf-task-head">
        <TaskSign task={task} />
        <h3 id={headingId}>
          <bdi>{name}</bdi>
        </h3>
        {canCancel && task.source === null && !task.isOver && !isDeleted && (
          <button
            type="button"
            className="hf-button hf-solid"
            aria-label={labels.cancelOne(name)}
            disabled={task.isCancelRequested}
            onClick={cancel}
          >
            {labels.cancel}
          </button>
        )}
      </div>
      {!task.isOver && <TaskBar task={task} labelledBy={headingId} />}
      <TaskState task={task} />
      <TaskDetails task={task} />
      <div role="alert">
        {hasFailed && <TaskNotice kind="problem">{labels.changeFailed}</TaskNotice>}
        {isDeleted && <TaskNotice kind="problem">{labels.deleted}</TaskNotice>}
      </div>
      {status === 'stale' && !task.isOver && <TaskNotice kind="late">{labels.stale}</TaskNotice>}
      {children}
    </section>
  );
}

function Missing({
  className,
  status,
  problem,
  onRetry,
}: Pick<TaskSnapshot, 'status' | 'problem'> & {
  readonly className: string | undefined;
  readonly onRetry: () => void;
}): ReactNode {
  const labels = useTaskLabels();
  if (status !== 'failed') {
    return (
      <section className={className} aria-busy="true" data-tone="waiting">
        <p className="hf-hidden">{labels.loading}</p>
        <div className="hf-task-skeleton" aria-hidden="true">
          <span />
          <span />
        </div>
      </section>
    );
  }
  const isNotFound = problem?.details.status === 404;
  return (
    <section className={className} data-tone="error">
      <div role="alert">
        <TaskNotice kind="problem">
          <span>{isNotFound ? labels.notFound : labels.failedToRead}</span>
          {!isNotFound && (
            <button type="button" className="hf-button hf-solid" onClick={onRetry}>
              {labels.retry}
            </button>
          )}
        </TaskNotice>
      </div>
    </section>
  );
}
