import type { HubMetrics, NodeInfo } from '@holdfast/hub';
import { hubNumbers } from './hub-metrics.ts';

/** What a node adds to what it tells of itself. */
export type NodeDetail = Pick<NodeInfo, 'metrics' | 'process'>;

export interface NodeDetailsOptions {
  /** Time that counters are added up over. */
  readonly intervalMs: number;
  /** Milliseconds that never jump. @defaultValue `performance.now` */
  readonly monotonic?: () => number;
  /** Microseconds of CPU time so far. @defaultValue that of the process */
  readonly cpuUsage?: () => number;
}

/** A shorter time says nothing about the load. */
const shortestCpuWindowMs = 1_000;

/**
 * Measures what the API's `info` says of a node beside its numbers of clients: how busy the process
 * is, and what the hub did during the last whole interval. Read every few seconds.
 */
export class NodeDetails {
  readonly #options: Required<NodeDetailsOptions>;
  #metrics: NodeInfo['metrics'];
  #windowStart: number;
  #countersAtStart: ReadonlyMap<string, number> = new Map();
  #cpuAt: number;
  #cpuBefore: number;
  #cpuPercent = 0;

  constructor(options: NodeDetailsOptions) {
    this.#options = {
      monotonic: () => performance.now(),
      cpuUsage() {
        const { user, system } = process.cpuUsage();
        return user + system;
      },
      ...options,
    };
    this.#windowStart = this.#cpuAt = this.#options.monotonic();
    this.#cpuBefore = this.#options.cpuUsage();
  }

  /** As of now. `metrics` is there once the first interval is over. */
  read(hub: HubMetrics): NodeDetail {
    const now = this.#options.monotonic();
    if (now - this.#windowStart >= this.#options.intervalMs) this.#closeWindow(hub, now);
    if (now - this.#cpuAt >= shortestCpuWindowMs) this.#measureCpu(now);
    return {
      ...(this.#metrics && { metrics: this.#metrics }),
      process: { cpu: this.#cpuPercent, rss: process.memoryUsage.rss() },
    };
  }

  #closeWindow(hub: HubMetrics, now: number): void {
    const counters = new Map<string, number>();
    const items: Record<string, number> = {};
    for (const { name, kind, value } of hubNumbers(hub)) {
      if (kind === 'gauge') {
        items[name] = value;
        continue;
      }
      counters.set(name, value);
      items[name] = value - (this.#countersAtStart.get(name) ?? 0);
    }
    this.#metrics = { interval: (now - this.#windowStart) / 1_000, items };
    this.#countersAtStart = counters;
    this.#windowStart = now;
  }

  #measureCpu(now: number): void {
    const used = this.#options.cpuUsage();
    const percent = (used - this.#cpuBefore) / 10 / (now - this.#cpuAt);
    this.#cpuPercent = Math.round(percent * 10) / 10;
    this.#cpuBefore = used;
    this.#cpuAt = now;
  }
}
