import { type Bus, openBus } from '../shared/bus.ts';
import { holdLock, type LocksLike } from '../shared/web-locks.ts';
import type { Environment } from '../environment.ts';

/** The tabs of one browser that show the same thing of the same user. */
export interface TabCircle<Message> {
  /** True in exactly one living tab: the one that speaks for the browser. */
  readonly isLead: boolean;
  /** Every other tab hears it. */
  post(message: Message): void;
  /** Runs `action` while no other tab runs one, or after `patienceMs` all the same. */
  alone<Result>(patienceMs: number, action: () => Promise<Result>): Promise<Result>;
  close(): void;
}

export interface TabCircleOptions<Message> {
  /** What is shared, with the user it belongs to. Undefined: this tab is on its own. */
  readonly name: string | undefined;
  readonly locks: LocksLike | undefined;
  readonly environment: Environment;
  readonly onMessage: (message: Message) => void;
  /** This tab has become the lead, or is it no more. */
  readonly onLead: (isLead: boolean) => void;
}

/**
 * Joins the circle. The lead is whoever holds a lock, so that the next tab takes over the moment it
 * dies; a page that is frozen or goes into the back/forward cache gives it up. Without Web Locks or
 * BroadcastChannel each tab is its own lead.
 */
export function joinTabCircle<Message>(options: TabCircleOptions<Message>): TabCircle<Message> {
  const { name, locks, environment, onMessage, onLead } = options;
  if (name === undefined || locks === undefined || typeof BroadcastChannel === 'undefined') {
    onLead(true);
    return {
      isLead: true,
      post: () => undefined,
      alone: (_patienceMs, action) => action(),
      close: () => onLead(false),
    };
  }
  const fullName = `holdfast/1:${name}`;
  let bus: Bus<Message> | undefined;
  let isLead = false;
  const set = (value: boolean): void => {
    if (isLead === value) return;
    isLead = value;
    onLead(value);
  };
  let release: () => void = () => undefined;
  const leave = (): void => {
    bus?.close();
    bus = undefined;
    release();
  };
  const join = (): void => {
    leave();
    bus = openBus<Message>(fullName, onMessage);
    release = holdLock(locks, `${fullName}:lead`, {
      onHeld: () => {
        set(true);
        return () => set(false);
      },
    });
  };
  // Neither an open channel nor a lock may keep a page out of the back/forward cache.
  const stopSignals = environment.onSignal((signal) => {
    if (signal === 'suspend') leave();
    else if (signal === 'resume') join();
  });
  join();
  return {
    get isLead() {
      return isLead;
    },
    post: (message) => bus?.post(message),
    alone: async (patienceMs, action) => {
      const release = await untilAlone(locks, `${fullName}:alone`, { environment, patienceMs });
      try {
        return await action();
      } finally {
        release();
      }
    },
    close() {
      stopSignals();
      leave();
    },
  };
}

/** Waits for a lock; a tab that froze while it held it must not stop the others for ever. */
function untilAlone(
  locks: LocksLike,
  name: string,
  { environment, patienceMs }: { readonly environment: Environment; readonly patienceMs: number },
): Promise<() => void> {
  return new Promise((resolve) => {
    const release = holdLock(locks, name, {
      onHeld: () => {
        cancel();
        resolve(release);
        return () => undefined;
      },
    });
    const cancel = environment.after(patienceMs, () => {
      release();
      resolve(() => undefined);
    });
  });
}
