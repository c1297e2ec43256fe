/**
 * What a process and the machine have used so far; figures are differences between two samples.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** A process asked about itself. CPU is user plus system time of all its threads. */
export interface ProcessUsage {
  readonly cpuUs: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Memory outside V8's heap that JavaScript objects hold: buffers and their like. */
  readonly externalBytes: number;
}

export function processUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { cpuUs: user + system, rssBytes: rss, heapBytes: heapUsed, externalBytes: external };
}

/**
 * Collects garbage until the heap stops shrinking, at most ten times: finalisers and freed sockets
 * need turns of the event loop in between.
 */
export async function settleGarbage(): Promise<void> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('Memory is measured with node --expose-gc only');
  let heapBytes = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 10; turn += 1) {
    collect();
    await delay(50);
    const { heapUsed } = process.memoryUsage();
    if (heapUsed > heapBytes * 0.995) return;
    heapBytes = heapUsed;
  }
}

/** Time since boot that all processors together were busy, in microseconds (10 ms steps). */
export function machineBusyUs(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
  // proc(5): user nice system idle iowait irq softirq steal; guest times are inside user and nice.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * 10_000;
}

/** The share of the whole machine that `busyUs` is of a window, in [0, 1]. */
export function machineShare(busyUs: number, windowMs: number): number {
  return busyUs / (windowMs * 1_000 * availableParallelism());
}
