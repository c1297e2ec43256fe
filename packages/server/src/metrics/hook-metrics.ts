import { durationBuckets } from '@holdfast/hub';
import type { HooksMetrics } from '../hooks/index.ts';
import type { MetricReader } from './metric-reader.ts';

/** What backend hooks did. Labels come from the configuration alone. */
export function addHookMetrics(reader: MetricReader, read: () => HooksMetrics): void {
  reader.counter(
    {
      name: 'holdfast_hook_calls_total',
      help: 'Calls of backend hooks, by how they ended',
      labels: ['hook', 'proxy', 'outcome'],
    },
    (add) => {
      for (const { hook, proxy, metrics } of read().calls) {
        for (const [outcome, count] of metrics.outcomes.counts)
          add(count, { hook, proxy, outcome });
      }
    },
  );
  reader.histogram(
    {
      name: 'holdfast_hook_seconds',
      help: 'How long calls of backend hooks took, waiting included',
      labels: ['hook', 'proxy'],
    },
    {
      bounds: durationBuckets,
      read: () =>
        read().calls.map(({ hook, proxy, metrics: { duration } }) => ({
          labels: { hook, proxy },
          counts: duration.counts,
          sum: duration.sumSeconds,
        })),
    },
  );
  reader.gauge(
    {
      name: 'holdfast_hook_calls_under_way',
      help: 'Calls of backend hooks right now',
      labels: ['endpoint'],
    },
    (add) => {
      for (const { key, callsUnderWay } of read().endpoints) add(callsUnderWay, { endpoint: key });
    },
  );
  reader.gauge(
    {
      name: 'holdfast_hook_calls_waiting',
      help: 'Calls of backend hooks that wait for a connection right now',
      labels: ['endpoint'],
    },
    (add) => {
      for (const { key, callsWaiting } of read().endpoints) add(callsWaiting, { endpoint: key });
    },
  );
  reader.gauge(
    {
      name: 'holdfast_hook_circuit_open',
      help: '1 while a backend hook is not called because it keeps failing',
      labels: ['endpoint'],
    },
    (add) => {
      for (const { key, circuit } of read().endpoints) {
        add(circuit === 'closed' ? 0 : 1, { endpoint: key });
      }
    },
  );
}
