import type { TaskView } from '@holdfast/protocol/tasks';
import { TaskError } from './errors.ts';

/** How tasks of one kind behave. Everything has a safe default. */
export interface KindOptions {
  /** A worker that is silent for so long has lost the task. @defaultValue 30000 */
  readonly leaseMs?: number;
  /** How often a worker says that it is alive. @defaultValue a third of `leaseMs` */
  readonly heartbeatMs?: number;
  /** Longest run of one attempt, however alive its worker. @defaultValue 86400000 (a day) */
  readonly maxRuntimeMs?: number;
  /** How long a task waits for a worker before it fails. @defaultValue 86400000 (a day) */
  readonly pendingDeadlineMs?: number;
  /** How long a cancelled run may take to stop before its lease is cut off. @defaultValue 10000 */
  readonly cancelGraceMs?: number;
  /** Runs of one task, the first included. @defaultValue 3 */
  readonly attempts?: number;
  /** Pause before attempt n+1: random in [0, min(maxMs, baseMs · 2^(n-1))). */
  readonly backoff?: {
    /** @defaultValue 1000 */ readonly baseMs?: number;
    /** @defaultValue 300000 */ readonly maxMs?: number;
  };
  /**
   * Requests with the same key share work: one task runs, one more may wait behind it. Undefined for
   * no sharing. A request can name its key itself, which wins.
   */
  readonly key?: (payload: unknown, owner: string) => string | undefined;
  /**
   * What to do with the payload of a request that joins a waiting task, for example
   * {@link unionWindow}. Called inside a transaction, perhaps twice: it must be pure.
   * @defaultValue the newer payload
   */
  readonly merge?: (waiting: unknown, incoming: unknown) => unknown;
  /**
   * Whether users may ask for it themselves, with their own token. Requests of such a kind share work
   * only with those of the same owner, whatever their keys. @defaultValue false
   */
  readonly isOpenToUsers?: boolean;
  /** Tasks of one user that are not over, as far as users ask for them themselves. @defaultValue 100 */
  readonly maxLivePerUser?: number;
  /** Tasks that may run at the same time. @defaultValue no limit */
  readonly concurrency?: {
    readonly total?: number;
    readonly perOwner?: number;
    /** For requests with a `lane`. */
    readonly perLane?: number;
  };
  /** @defaultValue 16384, as JSON */
  readonly maxPayloadBytes?: number;
  /** @defaultValue 16384, as JSON */
  readonly maxResultBytes?: number;
  /** What an attempt leaves for the next one. @defaultValue 65536, as JSON */
  readonly maxCheckpointBytes?: number;
  /** Whole output stream of a task. @defaultValue 1048576 */
  readonly maxOutputBytes?: number;
  /**
   * Runs once the end of a task is committed, in a task of its own with its own retries. Called
   * again when its process dies in the middle; the task's id is a good idempotency key.
   */
  readonly after?: (task: TaskView, context: { readonly signal: AbortSignal }) => Promise<void>;
}

/** A kind with nothing left open. */
export interface Kind {
  readonly name: string;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly maxRuntimeMs: number;
  readonly pendingDeadlineMs: number;
  readonly cancelGraceMs: number;
  readonly attempts: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  readonly key: ((payload: unknown, owner: string) => string | undefined) | undefined;
  readonly merge: (waiting: unknown, incoming: unknown) => unknown;
  readonly isOpenToUsers: boolean;
  readonly maxLivePerUser: number;
  readonly total: number;
  readonly perOwner: number;
  readonly perLane: number;
  readonly maxPayloadBytes: number;
  readonly maxResultBytes: number;
  readonly maxCheckpointBytes: number;
  readonly maxOutputBytes: number;
  readonly after: KindOptions['after'];
}

const dayMs = 86_400_000;
const namePattern = /^[\w][\w.:-]{0,99}$/;

/** Fills in defaults. @throws {@link TaskError} `task_bad_request` naming the option that cannot work */
export function resolveKind(name: string, options: KindOptions = {}): Kind {
  if (!namePattern.test(name)) {
    throw new TaskError(
      'task_bad_request',
      `kind ${JSON.stringify(name)}: a name has 1 to 100 letters, digits, _ . : -`,
    );
  }
  const leaseMs = options.leaseMs ?? 30_000;
  const kind: Kind = {
    name,
    leaseMs,
    heartbeatMs: options.heartbeatMs ?? Math.ceil(leaseMs / 3),
    maxRuntimeMs: options.maxRuntimeMs ?? dayMs,
    pendingDeadlineMs: options.pendingDeadlineMs ?? dayMs,
    cancelGraceMs: options.cancelGraceMs ?? 10_000,
    attempts: options.attempts ?? 3,
    backoffBaseMs: options.backoff?.baseMs ?? 1000,
    backoffMaxMs: options.backoff?.maxMs ?? 300_000,
    key: options.key,
    merge: options.merge ?? ((_waiting, incoming) => incoming),
    isOpenToUsers: options.isOpenToUsers ?? false,
    maxLivePerUser: options.maxLivePerUser ?? 100,
    total: options.concurrency?.total ?? Infinity,
    perOwner: options.concurrency?.perOwner ?? Infinity,
    perLane: options.concurrency?.perLane ?? Infinity,
    maxPayloadBytes: options.maxPayloadBytes ?? 16_384,
    maxResultBytes: options.maxResultBytes ?? 16_384,
    maxCheckpointBytes: options.maxCheckpointBytes ?? 65_536,
    maxOutputBytes: options.maxOutputBytes ?? 1_048_576,
    after: options.after,
  };
  for (const [option, value] of Object.entries(kind)) {
    const isZeroAllowed = option === 'backoffBaseMs' || option === 'cancelGraceMs';
    if (typeof value === 'number' && !(value >= (isZeroAllowed ? 0 : 1))) {
      throw new TaskError('task_bad_request', `kind ${name}: ${option} must be positive`);
    }
  }
  if (kind.heartbeatMs >= leaseMs) {
    throw new TaskError(
      'task_bad_request',
      `kind ${name}: heartbeatMs (${kind.heartbeatMs}) must be below leaseMs (${leaseMs})`,
    );
  }
  return kind;
}

/**
 * Pause before the next attempt, with full jitter so that tasks that failed together do not come
 * back together.
 * @param attempt attempts so far, from 1
 * @param random in [0, 1)
 */
export function backoffMs(kind: Kind, attempt: number, random: number): number {
  const ceiling = Math.min(kind.backoffMaxMs, kind.backoffBaseMs * 2 ** Math.min(attempt - 1, 40));
  return Math.floor(random * ceiling);
}

/** A stretch of something ordered; null is open-ended. */
export interface Window<T extends string | number = string> {
  readonly from: T | null;
  readonly to: T | null;
}

/**
 * The smallest window that covers both. An open end stays open. Works for numbers, and for text
 * whose order is its meaning, such as ISO dates.
 */
export function unionWindow<T extends string | number>(a: Window<T>, b: Window<T>): Window<T> {
  return {
    from: a.from === null || b.from === null ? null : a.from < b.from ? a.from : b.from,
    to: a.to === null || b.to === null ? null : a.to > b.to ? a.to : b.to,
  };
}
