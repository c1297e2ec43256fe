import { useSyncExternalStore } from 'react';
import { useTaskStore } from './tasks-provider.tsx';

/** One clock for all tasks on the page, which stands still when none needs it. */
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let ticks = 0;

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    timer = setInterval(() => {
      ticks += 1;
      for (const tell of listeners) tell();
    }, 1000);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

const standStill = () => () => undefined;
const readTicks = (): number => ticks;

/** The server's time; renders anew each second while it `isTicking`. */
export function useServerNow(isTicking: boolean): number {
  useSyncExternalStore(isTicking ? subscribe : standStill, readTicks, readTicks);
  return useTaskStore().now();
}
