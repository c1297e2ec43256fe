import type { InboxMetrics } from '@holdfast/inbox';
import type { MetricReader } from './metric-reader.ts';

/** What notifications did; nothing is told where there are none. */
export function addInboxMetrics(reader: MetricReader, read: () => InboxMetrics | undefined): void {
  reader.counter(
    {
      name: 'holdfast_inbox_escalation_attempts_total',
      help: 'Attempts to carry a notification that nobody saw out of the application; one that is given_up was the last, and leaves a dead letter',
      labels: ['target', 'outcome'],
    },
    (add) => {
      for (const [target, counts] of read()?.attempts ?? []) {
        for (const [outcome, count] of Object.entries(counts)) add(count, { target, outcome });
      }
    },
  );
}
