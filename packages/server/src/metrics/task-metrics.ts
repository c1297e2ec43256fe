import type { TaskMetrics } from '@holdfast/tasks';
import type { MetricReader } from './metric-reader.ts';
import { addNumbers, type NumberTable } from './number-table.ts';

const taskNumbers: NumberTable<TaskMetrics> = {
  requested: ['holdfast_tasks_requested_total', 'Tasks that were asked for'],
  joined: ['holdfast_tasks_joined_total', 'Requests that joined a task that waited already'],
  claimed: ['holdfast_tasks_claimed_total', 'Tasks that a worker took'],
  completed: ['holdfast_tasks_completed_total', 'Tasks that were completed'],
  partial: [
    'holdfast_tasks_partial_total',
    'Tasks that were completed while some of their children were not',
  ],
  failed: ['holdfast_tasks_failed_total', 'Tasks that failed'],
  cancelled: ['holdfast_tasks_cancelled_total', 'Tasks that were cancelled'],
  lost: ['holdfast_tasks_lost_total', 'Leases that ran out, because a worker fell silent'],
  retried: ['holdfast_tasks_retried_total', 'Attempts after the first'],
  fenced: [
    'holdfast_tasks_fenced_total',
    'Writes of workers that were refused because their lease was over',
  ],
  outputRefused: [
    'holdfast_tasks_output_refused_total',
    'Chunks of output that were refused because a task had written too much',
  ],
  sweeps: ['holdfast_tasks_sweeps_total', 'Searches for leases that ran out'],
  sweepFailures: [
    'holdfast_tasks_sweep_failures_total',
    'Such searches and other background work that failed and will be tried again',
  ],
  rowFailures: [
    'holdfast_tasks_row_failures_total',
    'Tasks that such a search could not settle; they are tried again',
  ],
};

/** What tasks did; nothing is told where there are none. Kinds come from the configuration alone. */
export function addTaskMetrics(reader: MetricReader, read: () => TaskMetrics | undefined): void {
  addNumbers(reader, taskNumbers, read);
  reader.gauge(
    {
      name: 'holdfast_tasks_without_worker',
      help: 'Tasks that wait while no worker for their kind is alive',
      labels: ['kind'],
    },
    (add) => {
      for (const [kind, waiting] of read()?.withoutWorker ?? []) add(waiting, { kind });
    },
  );
}
