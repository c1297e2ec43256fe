import type { EventHookMetrics } from '../hooks/index.ts';
import type { MetricReader } from './metric-reader.ts';

const labels = ['name'];

/** What event hooks did. Names come from the configuration alone. */
export function addEventHookMetrics(
  reader: MetricReader,
  read: () => readonly EventHookMetrics[],
): void {
  const values = (value: (hook: EventHookMetrics) => number) => {
    return (add: (value: number, labels: { readonly name: string }) => void): void => {
      for (const hook of read()) add(value(hook), { name: hook.name });
    };
  };
  reader.counter(
    { name: 'holdfast_events_delivered_total', help: 'Events that a backend accepted', labels },
    values((hook) => hook.deliveredEvents),
  );
  reader.counter(
    {
      name: 'holdfast_events_lost_total',
      help: 'Events given up because the journal was full or the disk refused',
      labels,
    },
    values((hook) => hook.lostEvents),
  );
  reader.counter(
    {
      name: 'holdfast_event_requests_total',
      help: 'Requests that carried events, by how they ended',
      labels: ['name', 'outcome'],
    },
    (add) => {
      for (const { name, requests } of read()) {
        for (const [outcome, count] of requests.counts) add(count, { name, outcome });
      }
    },
  );
  reader.gauge(
    { name: 'holdfast_events_waiting', help: 'Events that no backend has accepted yet', labels },
    values((hook) => hook.backlog),
  );
  reader.gauge(
    {
      name: 'holdfast_events_unwritten',
      help: 'Events that are still on their way to the disk, which a crash would cost',
      labels,
    },
    values((hook) => hook.unwrittenEvents),
  );
  reader.gauge(
    { name: 'holdfast_event_journal_bytes', help: 'Size of the journal on disk', labels },
    values((hook) => hook.journalBytes),
  );
}
