import { readFile, readdir } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { version } from '../version.ts';
import type { MetricReader } from './metric-reader.ts';

/**
 * How the process is.
 * @returns stops the measurement of the event loop.
 */
export function addProcessMetrics(reader: MetricReader): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  reader.gauge(
    {
      name: 'holdfast_build_info',
      help: 'Always 1; the labels say what is running',
      labels: ['version', 'node'],
    },
    (add) => add(1, { version, node: process.version }),
  );
  reader.gauge(
    {
      name: 'holdfast_event_loop_delay_seconds',
      help: 'How late the event loop was since the last scrape; above 0.1 the node is overloaded',
      labels: ['quantile'],
    },
    (add) => {
      for (const quantile of [0.5, 0.99, 1]) {
        add(delay.count === 0 ? 0 : delay.percentile(quantile * 100) / 1e9, { quantile });
      }
      delay.reset();
    },
  );
  reader.counter(
    {
      name: 'holdfast_process_cpu_seconds_total',
      help: 'CPU time of the process, user and system',
    },
    (add) => {
      const { user, system } = process.cpuUsage();
      add((user + system) / 1e6);
    },
  );
  reader.gauge(
    {
      name: 'holdfast_process_resident_memory_bytes',
      help: 'Memory of the process as the operating system counts it',
    },
    (add) => add(process.memoryUsage.rss()),
  );
  reader.gauge({ name: 'holdfast_process_heap_bytes', help: 'JavaScript heap in use' }, (add) =>
    add(process.memoryUsage().heapUsed),
  );
  reader.gauge(
    {
      name: 'holdfast_process_start_time_seconds',
      help: 'When the process started, in Unix seconds',
    },
    (add) => add(Math.round(performance.timeOrigin / 1000)),
  );
  reader.gauge(
    {
      name: 'holdfast_process_open_fds',
      help: 'Open file descriptors, sockets among them (Linux)',
    },
    async (add) => {
      const descriptors = await readdir('/proc/self/fd').catch(() => undefined);
      if (descriptors) add(descriptors.length);
    },
  );
  reader.gauge(
    {
      name: 'holdfast_process_max_fds',
      help: 'How many file descriptors the process may open (Linux)',
    },
    async (add) => {
      const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
      const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
      if (soft) add(Number(soft));
    },
  );
  return () => delay.disable();
}
