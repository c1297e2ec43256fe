import { type ReactNode, useId, useState } from 'react';
import type { ListOptions, Task } from '@holdfast/client/tasks';
import { Icon } from '../theme/icons.tsx';
import { useListFocus } from '../theme/list-focus.ts';
import { RelativeTime } from '../theme/relative-time.tsx';
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
import { useTasks } from './use-task.ts';

/** Which tasks are listed, and how. */
export interface TaskListProps extends ListOptions {
  /** Words in another language; those that are missing are English. */
  readonly labels?: Partial<TaskLabels> | undefined;
  /** A task's name was clicked. @defaultValue its details are shown */
  readonly onOpen?: ((task: Task) => void) | undefined;
  /** Of the page's Content-Security-Policy, where that asks for one. */
  readonly nonce?: string | undefined;
  /** Of the element around everything. */
  readonly className?: string | undefined;
}

/** The user's tasks, newest first, as they go on. */
export function TaskList({ labels, nonce, className, ...rest }: TaskListProps): ReactNode {
  return (
    <TaskLabelsContext value={{ ...defaultTaskLabels, ...labels }}>
      <ThemeStyle name="tasks" css={taskCss} nonce={nonce} />
      <List className={`hf hf-tasks ${className ?? ''}`} {...rest} />
    </TaskLabelsContext>
  );
}

function List({
  className,
  onOpen,
  ...filter
}: Omit<TaskListProps, 'labels' | 'nonce'>): ReactNode {
  const labels = useTaskLabels();
  const headingId = useId();
  const tasks = useTasks(filter);
  const [hasFailed, setFailed] = useState(false);
  const { items, status } = tasks;
  const focus = useListFocus<HTMLUListElement>(
    items.map(({ id }) => id),
    '.hf-task-name',
  );
  const attempt = (change: Promise<void>): void => {
    setFailed(false);
    change.catch(() => setFailed(true));
  };
  return (
    <section
      className={className}
      aria-labelledby={headingId}
      aria-busy={!tasks.isListed && status !== 'failed'}
    >
      <h2 id={headingId}>{labels.title}</h2>
      {status === 'stale' && <TaskNotice kind="late">{labels.stale}</TaskNotice>}
      <div role="alert">
        {hasFailed && <TaskNotice kind="problem">{labels.changeFailed}</TaskNotice>}
        {status === 'failed' && (
          <TaskNotice kind="problem">
            <span>{labels.failedToRead}</span>
            <button type="button" className="hf-button hf-solid" onClick={tasks.refresh}>
              {labels.retry}
            </button>
          </TaskNotice>
        )}
      </div>
      {items.length > 0 && (
        // The role is not idle: Safari takes lists without bullets for no lists.
        <ul
          ref={focus.list}
          role="list"
          className="hf-task-items"
          aria-labelledby={headingId}
          onKeyDown={focus.onKeyDown}
        >
          {items.map((task) => (
            <Row
              key={task.id}
              task={task}
              isCurrent={task.id === focus.currentId}
              onFocus={focus.onFocus}
              onCancel={() => attempt(tasks.cancel(task.id))}
              onRemove={() => attempt(tasks.remove(task.id))}
              onOpen={onOpen}
            />
          ))}
        </ul>
      )}
      {!tasks.isListed && status !== 'failed' && (
        <>
          <p className="hf-hidden">{labels.loading}</p>
          <div className="hf-task-skeleton" aria-hidden="true">
            <span />
            <span />
            <span />
            <span />
          </div>
        </>
      )}
      {tasks.isListed && items.length === 0 && (
        <div className="hf-task-empty">
          <Icon name="check" />
          <p>{labels.empty}</p>
          <p>{labels.emptyHint}</p>
        </div>
      )}
      {tasks.hasMore && (
        <button
          type="button"
          className="hf-button hf-solid hf-task-more"
          onClick={() => attempt(tasks.loadMore())}
        >
          {labels.loadMore}
        </button>
      )}
    </section>
  );
}

interface RowProps extends Pick<TaskListProps, 'onOpen'> {
  readonly task: Task;
  /** Its controls are reached with Tab; those of the others with the arrow keys. */
  readonly isCurrent: boolean;
  readonly onFocus: (id: string) => void;
  readonly onCancel: () => void;
  readonly onRemove: () => void;
}

function Row({ task, isCurrent, onFocus, onCancel, onRemove, onOpen }: RowProps): ReactNode {
  const labels = useTaskLabels();
  const nameId = useId();
  const detailsId = useId();
  const [isOpen, setOpen] = useState(false);
  const name = labels.name(task);
  const tabIndex = isCurrent ? 0 : -1;
  const hasDetails = onOpen === undefined;
  return (
    <li
      className="hf-task"
      data-id={task.id}
      data-tone={toneOf(task)}
      data-status={task.status}
      onFocus={() => onFocus(task.id)}
    >
      <div className="hf-task-head">
        <TaskSign task={task} />
        <button
          type="button"
          className="hf-task-name"
          id={nameId}
          tabIndex={tabIndex}
          {...(hasDetails ? { 'aria-expanded': isOpen, 'aria-controls': detailsId } : {})}
          onClick={() => (onOpen === undefined ? setOpen(!isOpen) : onOpen(task))}
        >
          <span dir="auto">{name}</span>
        </button>
        <RelativeTime at={task.endedAt ?? task.createdAt} locale={labels.locale} />
        {task.source === null && task.isOver && (
          <button
            type="button"
            className="hf-icon-button"
            aria-label={labels.removeOne(name)}
            tabIndex={tabIndex}
            onClick={onRemove}
          >
            <Icon name="trash" />
          </button>
        )}
        {task.source === null && !task.isOver && (
          <button
            type="button"
            className="hf-icon-button"
            aria-label={labels.cancelOne(name)}
            tabIndex={tabIndex}
            disabled={task.isCancelRequested}
            onClick={onCancel}
          >
            <Icon name="close" />
          </button>
        )}
      </div>
      {!task.isOver && <TaskBar task={task} labelledBy={nameId} />}
      <TaskState task={task} />
      <div id={detailsId} hidden={!isOpen} className="hf-task-more-details">
        {isOpen && <TaskDetails task={task} />}
      </div>
    </li>
  );
}
