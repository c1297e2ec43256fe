/** What tasks count in this process, as plain numbers that are read at scrape time. */
export class TaskMetrics {
  requested = 0;
  joined = 0;
  claimed = 0;
  completed = 0;
  partial = 0;
  failed = 0;
  cancelled = 0;
  /** Leases that ran out. */
  lost = 0;
  retried = 0;
  /** Writes of workers that had lost their lease. */
  fenced = 0;
  /** Output chunks refused because a stream was full. */
  outputRefused = 0;
  sweeps = 0;
  /** Sweeps and other background work that failed, and will be tried again. */
  sweepFailures = 0;
  /** Rows that a sweep could not settle; they are tried again. */
  rowFailures = 0;
  /** Waiting tasks by kind that no living worker could take, as of the last sweep. */
  readonly withoutWorker: Map<string, number> = new Map();
}
