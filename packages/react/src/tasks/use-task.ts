import { useMemo, useSyncExternalStore } from 'react';
import type {
  ListOptions,
  OutputOptions,
  OutputSnapshot,
  TaskListSnapshot,
  TaskSnapshot,
  Watch,
  WatchState,
} from '@holdfast/client/tasks';
import { useTaskStore } from './tasks-provider.tsx';

function useWatch<Snapshot extends WatchState>(watch: Watch<Snapshot>): Snapshot {
  return useSyncExternalStore(watch.subscribe, watch.getSnapshot, watch.getServerSnapshot);
}

/** What {@link useTask} gives. */
export interface WatchedTask extends TaskSnapshot {
  /** Asks it to stop. Shown at once, and taken back when it fails. */
  readonly cancel: () => Promise<void>;
  /** Deletes it once it is over. */
  readonly remove: () => Promise<void>;
  /** Reads it at once, also when reading was given up. */
  readonly refresh: () => void;
}

/** One task, watched as long as the component is mounted; renders anew with each change. */
export function useTask(id: string): WatchedTask {
  const store = useTaskStore();
  const watch = useMemo(() => store.watchTask(id), [store, id]);
  const snapshot = useWatch(watch);
  return useMemo(
    () => ({
      ...snapshot,
      cancel: () => store.cancel(id),
      remove: () => store.remove(id),
      refresh: () => watch.retry(),
    }),
    [snapshot, store, watch, id],
  );
}

/** What {@link useTasks} gives. */
export interface WatchedTasks extends TaskListSnapshot {
  /** As {@link WatchedTask}'s, for one of them. */
  readonly cancel: (id: string) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
  readonly loadMore: () => Promise<void>;
  readonly refresh: () => void;
}

/** The user's tasks, newest first. The filter may be a new object each time. */
export function useTasks({ kind, phase, pageSize }: ListOptions = {}): WatchedTasks {
  const store = useTaskStore();
  const watch = useMemo(
    () =>
      store.watchTasks({
        ...(kind === undefined ? {} : { kind }),
        ...(phase === undefined ? {} : { phase }),
        ...(pageSize === undefined ? {} : { pageSize }),
      }),
    [store, kind, phase, pageSize],
  );
  const snapshot = useWatch(watch);
  return useMemo(
    () => ({
      ...snapshot,
      cancel: (id) => store.cancel(id),
      remove: (id) => store.remove(id),
      loadMore: () => watch.loadMore(),
      refresh: () => watch.retry(),
    }),
    [snapshot, store, watch],
  );
}

/** What a task puts out, from its beginning or from now on, as it comes. */
export function useTaskOutput(id: string, { from, maxSize }: OutputOptions = {}): OutputSnapshot {
  const store = useTaskStore();
  return useWatch(
    useMemo(
      () =>
        store.watchOutput(id, {
          ...(from === undefined ? {} : { from }),
          ...(maxSize === undefined ? {} : { maxSize }),
        }),
      [store, id, from, maxSize],
    ),
  );
}
