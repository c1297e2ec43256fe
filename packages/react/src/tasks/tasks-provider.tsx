import { createContext, type ReactNode, useContext } from 'react';
import type { TaskStore } from '@holdfast/client/tasks';

const TasksContext = createContext<TaskStore | undefined>(undefined);

/** The task store of the page, and who may use it. */
export interface TasksProviderProps {
  /** Made once, outside of any component: it belongs to the page, as its connection does. */
  readonly tasks: TaskStore;
  readonly children?: ReactNode;
}

/** Gives a task store to the hooks and components below it. Only what they show is read. */
export function TasksProvider({ tasks, children }: TasksProviderProps): ReactNode {
  return <TasksContext value={tasks}>{children}</TasksContext>;
}

/**
 * The task store of the nearest provider.
 *
 * @throws Error when there is no provider above.
 */
export function useTaskStore(): TaskStore {
  const tasks = useContext(TasksContext);
  if (tasks === undefined) {
    throw new Error('there is no TasksProvider above this component: put one around the app');
  }
  return tasks;
}
