/** What the page, the worker or the process around a client tells it. */
export type EnvironmentSignal =
  /** The device has no network. */
  | 'offline'
  /** A link is up again; it may still lead nowhere. */
  | 'online'
  /** The page was shown again or the machine slept: what was true before may not be any more. */
  | 'wake'
  /** The page goes into the back/forward cache or is frozen. */
  | 'suspend'
  /** It came back. */
  | 'resume';

/**
 * Clock, randomness and signals, so that every rule of the client can be tested without a browser
 * and without waiting.
 */
export interface Environment {
  /** Wall clock in milliseconds. */
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** Runs `action` after `delayMs`, and returns what cancels it. */
  after(delayMs: number, action: () => void): () => void;
  /** False only where the platform is sure that there is no network. */
  isOnline(): boolean;
  /** Whether nobody sees the page, so that its timers may be slowed down. */
  isHidden(): boolean;
  /** Calls `listener` for every signal until the returned function is called. */
  onSignal(listener: (signal: EnvironmentSignal) => void): () => void;
}

/** The subset of `window`, of a worker's scope and of Node's globals that is listened to. */
interface Scope {
  readonly navigator?: { readonly onLine?: boolean };
  readonly document?: EventTarget & { readonly visibilityState: string };
  addEventListener?(type: string, listener: (event: Event) => void): void;
  removeEventListener?(type: string, listener: (event: Event) => void): void;
}

/** How often the clock is looked at to notice that the machine slept. */
const tickMs = 10_000;
/** A tick that comes this late was not late because of a busy thread. */
const sleepThresholdMs = 20_000;

/** The environment this code runs in: a page, a worker or Node. */
export function createEnvironment(scope: Scope = globalThis as unknown as Scope): Environment {
  const after = (delayMs: number, action: () => void): (() => void) => {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  };
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    after,
    isOnline: () => scope.navigator?.onLine !== false,
    isHidden: () => scope.document !== undefined && scope.document.visibilityState !== 'visible',
    onSignal: (listener) => {
      const stops = [watchSleep(scope, listener)];
      const listen =
        (target: Pick<Scope, 'addEventListener' | 'removeEventListener'>) =>
        (type: string, handle: (event: Event) => void): void => {
          target.addEventListener?.(type, handle);
          stops.push(() => target.removeEventListener?.(type, handle));
        };
      const onScope = listen(scope);
      onScope('online', () => listener('online'));
      onScope('offline', () => listener('offline'));
      // `unload` and `beforeunload` would keep the page out of the back/forward cache.
      onScope('pagehide', () => listener('suspend'));
      onScope('pageshow', (event) => {
        if ((event as Event & { readonly persisted?: boolean }).persisted === true) {
          listener('resume');
        }
      });
      const { document } = scope;
      if (document !== undefined) {
        const onDocument = listen(document);
        onDocument('freeze', () => listener('suspend'));
        onDocument('resume', () => listener('resume'));
        onDocument('visibilitychange', () => {
          if (document.visibilityState === 'visible') listener('wake');
        });
      }
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

/**
 * A ticking clock that skipped shows that the machine slept. Hidden pages get their timers once a
 * minute, which looks the same; they are left alone until they are shown.
 */
function watchSleep(scope: Scope, listener: (signal: EnvironmentSignal) => void): () => void {
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    const slept = now - last > sleepThresholdMs;
    last = now;
    const isHidden = scope.document !== undefined && scope.document.visibilityState !== 'visible';
    if (slept && !isHidden) listener('wake');
  }, tickMs);
  // Node: a clock that is only watched keeps no process alive.
  if (typeof timer === 'object') timer.unref();
  return () => clearInterval(timer);
}
