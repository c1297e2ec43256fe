import type { ProgressUpdate } from '../progress.ts';

/**
 * What a job in a queue of others looked like at one moment. Times are Unix milliseconds of that
 * queue's clock.
 */
export interface JobSighting {
  /** Unique within its queue. */
  readonly id: string;
  /** `gone`: it is no longer there, and nobody saw how it ended. */
  readonly state: 'waiting' | 'active' | 'completed' | 'failed' | 'cancelled' | 'gone';
  /** Whether a worker holds it just now; only of an active job. */
  readonly isAlive: boolean;
  /** Attempts begun. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly owner: string;
  readonly payload: unknown;
  readonly result: unknown;
  /** Why the last attempt failed. */
  readonly error: string | null;
  /** Who works on it, for people. */
  readonly worker: string;
  readonly progress: ProgressUpdate | null;
  /** Tells a job from an earlier one with the same id; null when nothing is known of it but its end. */
  readonly createdAt: number | null;
  /** Not to be started before. */
  readonly availableAt: number;
  readonly startedAt: number | null;
}

/** What has changed after a cursor. */
export interface JobChanges {
  readonly sightings: readonly JobSighting[];
  /** Changes after it are the next ones. */
  readonly cursor: string;
  /** Whether there is more to read at once. */
  readonly hasMore: boolean;
}

/** A queue whose jobs appear as tasks. */
export interface JobSource {
  /** Unique and the same at every start; jobs are told apart by it. */
  readonly name: string;
  /** Kind of its tasks. No such kind may be registered. */
  readonly kind: string;
  /** How often changes are asked for. */
  readonly pollMs: number;
  /** How often everything that is live is looked at. */
  readonly reconcileMs: number;
  /** A job whose worker has not been seen for so long is lost. */
  readonly leaseMs: number;
  /** Without a cursor: none, and the cursor that stands for now. */
  changes(cursor: string | undefined): Promise<JobChanges>;
  /** Ids of jobs that are not over, up to a limit. */
  live(limit: number): Promise<readonly string[]>;
  /** How these jobs are, each of them told of. */
  look(ids: readonly string[]): Promise<readonly JobSighting[]>;
  /** Workers that are alive, as far as the queue knows. */
  workers(): Promise<readonly { readonly id: string; readonly name: string }[]>;
  close(): Promise<void>;
}
