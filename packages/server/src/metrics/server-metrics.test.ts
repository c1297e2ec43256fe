import { readFileSync } from 'node:fs';
import { HubMetrics, LabelledCounter } from '@holdfast/hub';
import { InboxMetrics } from '@holdfast/inbox';
import { StoreMetrics } from '@holdfast/store';
import { TaskMetrics } from '@holdfast/tasks';
import { Counter, Gauge } from 'prom-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HookCallMetrics } from '../hooks/hook-metrics.ts';
import { ServerMetrics } from './server-metrics.ts';

function createMetrics() {
  const hub = new HubMetrics();
  const badRequests = new LabelledCounter();
  const hookMetrics = new HookCallMetrics();
  const eventRequests = new LabelledCounter();
  eventRequests.add('timeout', 3);
  const store = { metrics: new StoreMetrics(), retention: { states: [] } };
  const inbox = new InboxMetrics();
  const tasks = new TaskMetrics();
  const metrics = new ServerMetrics({
    hub,
    badRequests,
    tokens: () => [],
    hooks: () => ({
      calls: [{ hook: 'connect', proxy: 'default', metrics: hookMetrics }],
      endpoints: [
        { key: 'client.proxy.connect', callsUnderWay: 2, callsWaiting: 1, circuit: 'open' },
      ],
    }),
    eventHooks: () => [
      {
        name: 'backend',
        backlog: 5,
        unwrittenEvents: 1,
        journalBytes: 600,
        deliveredEvents: 40,
        lostEvents: 2,
        requests: eventRequests,
      },
    ],
    store: () => store,
    inbox: () => inbox,
    tasks: () => tasks,
    rateLimitedRequests: () => 9,
  });
  onTestFinished(() => metrics.close());
  return { hub, badRequests, hookMetrics, store, inbox, tasks, metrics };
}

describe('the metrics', () => {
  test('are what docs/metrics.md says, and the page says no more than there is', () => {
    const page = readFileSync(new URL('../../../../docs/metrics.md', import.meta.url), 'utf8');
    const documented = page
      .split('\n')
      .filter((line) => line.startsWith('| `holdfast_'))
      .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
      .map(([, name, type, labels, help]) => ({ name, type, labels, help }));
    const registered = createMetrics()
      .metrics.registry.getMetricsAsArray()
      .map((metric) => {
        const { name, help, labelNames } = metric as unknown as {
          readonly name: string;
          readonly help: string;
          readonly labelNames: readonly string[];
        };
        const kinds = { counter: Counter, gauge: Gauge };
        const kind = Object.entries(kinds).find(([, type]) => (metric as object) instanceof type);
        return { name, type: kind?.[0] ?? 'histogram', labels: labelNames.join(', '), help };
      });
    expect(documented.toSorted(byName)).toEqual(registered.toSorted(byName));
  });

  test('are read when somebody asks', async () => {
    const { hub, metrics } = createMetrics();
    hub.deliveries = 7;
    hub.clients = 3;
    hub.disconnects.add('3001', 2);
    const text = await metrics.render();
    expect(text).toContain('holdfast_deliveries_total 7');
    expect(text).toContain('holdfast_clients 3');
    expect(text).toContain('holdfast_disconnects_total{code="3001"} 2');
    hub.deliveries = 9;
    expect(await metrics.render()).toContain('holdfast_deliveries_total 9');
  });

  test('show what hooks did, with their kept histogram', async () => {
    const { hookMetrics, metrics } = createMetrics();
    hookMetrics.outcomes.add('timeout');
    hookMetrics.duration.observe(2);
    hookMetrics.duration.observe(300);
    hookMetrics.duration.observe(60_000);
    const text = await metrics.render();
    const labels = 'hook="connect",proxy="default"';
    expect(text).toContain(`holdfast_hook_calls_total{${labels},outcome="timeout"} 1`);
    expect(text).toContain('# TYPE holdfast_hook_seconds histogram');
    expect(text).toContain(`holdfast_hook_seconds_bucket{${labels},le="0.001"} 0`);
    expect(text).toContain(`holdfast_hook_seconds_bucket{${labels},le="0.0025"} 1`);
    expect(text).toContain(`holdfast_hook_seconds_bucket{${labels},le="5"} 2`);
    expect(text).toContain(`holdfast_hook_seconds_bucket{${labels},le="+Inf"} 3`);
    expect(text).toContain(`holdfast_hook_seconds_sum{${labels}} 60.302`);
    expect(text).toContain(`holdfast_hook_seconds_count{${labels}} 3`);
    expect(text).toContain('holdfast_hook_circuit_open{endpoint="client.proxy.connect"} 1');
  });

  test('show what event hooks did', async () => {
    const text = await createMetrics().metrics.render();
    expect(text).toContain('holdfast_events_delivered_total{name="backend"} 40');
    expect(text).toContain('holdfast_events_lost_total{name="backend"} 2');
    expect(text).toContain('holdfast_event_requests_total{name="backend",outcome="timeout"} 3');
    expect(text).toContain('holdfast_events_waiting{name="backend"} 5');
    expect(text).toContain('holdfast_events_unwritten{name="backend"} 1');
    expect(text).toContain('holdfast_event_journal_bytes{name="backend"} 600');
  });

  test('show what the store, notifications and tasks did', async () => {
    const { store, inbox, tasks, metrics } = createMetrics();
    store.metrics.commitMsTotal = 1_500;
    store.metrics.outbox.oldestMs = 250;
    store.metrics.countError('store_busy');
    inbox.countAttempt('email', 'given_up');
    tasks.lost = 3;
    tasks.withoutWorker.set('report', 7);
    const text = await metrics.render();
    expect(text).toContain('holdfast_store_commit_seconds_total 1.5');
    expect(text).toContain('holdfast_outbox_lag_seconds 0.25');
    expect(text).toContain('holdfast_store_errors_total{code="store_busy"} 1');
    expect(text).toContain(
      'holdfast_inbox_escalation_attempts_total{target="email",outcome="given_up"} 1',
    );
    expect(text).toContain('holdfast_tasks_lost_total 3');
    expect(text).toContain('holdfast_tasks_without_worker{kind="report"} 7');
  });

  test('say how the process is', async () => {
    const text = await createMetrics().metrics.render();
    expect(text).toMatch(/holdfast_process_resident_memory_bytes \d{6,}/);
    expect(text).toMatch(/holdfast_process_cpu_seconds_total \d/);
    expect(text).toMatch(/holdfast_build_info\{version="[^"]+",node="v\d+[^"]*"\} 1/);
    expect(text).toContain('holdfast_event_loop_delay_seconds{quantile="0.99"}');
  });

  test('never have a label whose values strangers choose', () => {
    const { registry } = createMetrics().metrics;
    const labels = registry
      .getMetricsAsArray()
      .flatMap((metric) => (metric as unknown as { labelNames: readonly string[] }).labelNames);
    expect([...new Set(labels)].toSorted()).toEqual([
      'code',
      'command',
      'endpoint',
      'fault',
      'hook',
      'job',
      'kind',
      'limit',
      'method',
      'name',
      'node',
      'outcome',
      'proxy',
      'quantile',
      'reason',
      'recovered',
      'target',
      'transport',
      'version',
    ]);
  });
});

function byName(left: { name?: string | undefined }, right: { name?: string | undefined }): number {
  return (left.name ?? '').localeCompare(right.name ?? '');
}
