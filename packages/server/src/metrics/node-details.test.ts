import { HubMetrics } from '@holdfast/hub';
import { expect, test } from 'vitest';
import { NodeDetails } from './node-details.ts';

test('counters are told by interval, gauges as they are', () => {
  let now = 0;
  const details = new NodeDetails({ intervalMs: 60_000, monotonic: () => now });
  const hub = new HubMetrics();
  hub.deliveries = 5;
  expect(details.read(hub).metrics).toBeUndefined();
  now = 60_000;
  hub.clients = 3;
  hub.disconnects.add('3001', 2);
  hub.disconnects.add('3008', 1);
  expect(details.read(hub).metrics).toMatchObject({
    interval: 60,
    items: {
      holdfast_deliveries_total: 5,
      holdfast_clients: 3,
      holdfast_disconnects_total: 3,
    },
  });
  hub.deliveries = 12;
  now = 100_000;
  expect(details.read(hub).metrics?.items).toMatchObject({ holdfast_deliveries_total: 5 });
  now = 150_000;
  expect(details.read(hub).metrics).toMatchObject({
    interval: 90,
    items: { holdfast_deliveries_total: 7, holdfast_disconnects_total: 0 },
  });
});

test('CPU time is told in percent of one core', () => {
  let now = 0;
  let used = 0;
  const options = { intervalMs: 60_000, monotonic: () => now, cpuUsage: () => used };
  const details = new NodeDetails(options);
  now = 500;
  used = 400_000;
  expect(details.read(new HubMetrics()).process?.cpu).toBe(0);
  now = 2_000;
  used = 500_000;
  expect(details.read(new HubMetrics()).process?.cpu).toBe(25);
  expect(details.read(new HubMetrics()).process?.rss).toBeGreaterThan(1_000_000);
});
