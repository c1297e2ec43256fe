import type { OutboxMetrics, RetentionState, StoreMetrics } from '@holdfast/store';
import type { MetricReader } from './metric-reader.ts';
import { addNumbers, type NumberTable } from './number-table.ts';

/** What of the store's numbers becomes which metric. Complete: the compiler checks every name. */
const storeNumbers: NumberTable<StoreMetrics> = {
  commits: ['holdfast_store_commits_total', 'Transactions that were committed'],
  rollbacks: ['holdfast_store_rollbacks_total', 'Transactions that were rolled back'],
  databaseCommits: [
    'holdfast_store_database_commits_total',
    'Commits of the database; fewer than transactions where they shared one',
  ],
  commitMsTotal: [
    'holdfast_store_commit_seconds_total',
    "Time spent in the database's commits",
    { scale: 0.001 },
  ],
  commitMsMax: [
    'holdfast_store_commit_seconds_max',
    'Longest commit of the database since the start',
    { kind: 'gauge', scale: 0.001 },
  ],
  reads: ['holdfast_store_reads_total', 'Reads'],
  waiting: [
    'holdfast_store_waiting',
    'Transactions and reads that wait for their turn right now',
    { kind: 'gauge' },
  ],
  conflictRetries: [
    'holdfast_store_conflict_retries_total',
    'Transactions that were repeated because the database had rolled them back',
  ],
  connectionsLost: [
    'holdfast_store_lost_connections_total',
    'Times that the connection to the database was found broken',
  ],
  connections: [
    'holdfast_store_connections',
    'Database connections open right now',
    { kind: 'gauge' },
  ],
};

const outboxNumbers: NumberTable<OutboxMetrics> = {
  appended: ['holdfast_outbox_appended_total', 'Events that were committed'],
  published: ['holdfast_outbox_published_total', 'Events that the broker took'],
  failures: [
    'holdfast_outbox_failures_total',
    'Publishes of events that failed and will be tried again',
  ],
  rejected: ['holdfast_outbox_rejected_total', 'Events that the broker refused for good'],
  discarded: ['holdfast_outbox_discarded_total', 'Events dropped: too old, or too many'],
  waiting: [
    'holdfast_outbox_waiting',
    'Events that wait to be published, measured by the server that publishes',
    { kind: 'gauge' },
  ],
  oldestMs: [
    'holdfast_outbox_lag_seconds',
    'Age of the oldest event that waits to be published',
    { kind: 'gauge', scale: 0.001 },
  ],
  blockedChannels: [
    'holdfast_outbox_blocked_channels',
    'Channels whose events cannot be published right now',
    { kind: 'gauge' },
  ],
};

/** The part of a store that counts. */
export interface CountingStore {
  readonly metrics: StoreMetrics;
  readonly retention: { readonly states: readonly RetentionState[] };
}

/** What the store did; nothing is told while there is none. */
export function addStoreMetrics(reader: MetricReader, read: () => CountingStore | undefined): void {
  addNumbers(reader, storeNumbers, () => read()?.metrics);
  addNumbers(reader, outboxNumbers, () => read()?.metrics.outbox);
  reader.counter(
    {
      name: 'holdfast_store_errors_total',
      help: 'Transactions and reads that failed',
      labels: ['code'],
    },
    (add) => {
      for (const [code, count] of read()?.metrics.errors ?? []) add(count, { code });
    },
  );
  reader.counter(
    {
      name: 'holdfast_store_retention_deleted_total',
      help: 'Rows that were deleted because of their age or number',
      labels: ['job'],
    },
    (add) => {
      for (const { name, deleted } of read()?.retention.states ?? []) add(deleted, { job: name });
    },
  );
}
