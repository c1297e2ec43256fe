/** The subset of `navigator.locks` that is used. */
export interface LocksLike {
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    whileHeld: () => Promise<void>,
  ): Promise<void>;
}

/** The platform's Web Locks: absent in Node and on pages that came without TLS. */
export function platformLocks(): LocksLike | undefined {
  return (globalThis as { readonly navigator?: { readonly locks?: LocksLike } }).navigator?.locks;
}

/**
 * Holds a lock until the returned function is called. `onHeld` runs once it is held, and what it
 * returns runs when it is not held any more, whether given up or stolen; then `onLost` in the latter
 * case.
 */
export function holdLock(
  locks: LocksLike,
  name: string,
  {
    steal = false,
    onHeld,
    onLost = () => undefined,
  }: { steal?: boolean; onHeld: () => () => void; onLost?: () => void },
): () => void {
  const abort = new AbortController();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let stop: (() => void) | undefined;
  let isOver = false;
  const end = (): void => {
    stop?.();
    stop = undefined;
  };
  locks
    .request(name, steal ? { steal } : { signal: abort.signal }, async () => {
      if (isOver) return;
      stop = onHeld();
      await released;
    })
    .catch(() => {
      // Aborted by us before it was held, or stolen by another tab.
      end();
      if (!isOver) onLost();
    });
  return () => {
    if (isOver) return;
    isOver = true;
    end();
    release();
    abort.abort();
  };
}
