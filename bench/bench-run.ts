import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import path from 'node:path';
import type { WorkloadReport } from './report.ts';
import type { Scale } from './scale.ts';
import { connectRate } from './workloads/connect-rate.ts';
import { fanOut } from './workloads/fan-out.ts';
import { idleMemory } from './workloads/idle-memory.ts';
import type { Workload } from './workloads/workload.ts';

export const workloads: readonly Workload[] = [fanOut, idleMemory, connectRate];

export interface BenchSettings {
  readonly scale: Scale;
  readonly targets: readonly string[];
  readonly workloads: readonly Workload[];
  readonly progress: (text: string) => void;
  /** Called with each workload's report as soon as it is there. */
  readonly onReport?: (report: WorkloadReport) => void;
}

export interface BenchResult {
  readonly startedAt: string;
  readonly scale: Scale;
  readonly targets: readonly string[];
  readonly machine: {
    readonly node: string;
    readonly processor: string;
    readonly cores: number;
    readonly memoryBytes: number;
    /** One-minute load average before the first and after the last workload. */
    readonly loadBefore: number;
    readonly loadAfter: number;
  };
  readonly reports: readonly WorkloadReport[];
}

/** Runs the workloads one after the other; each starts its own servers and ends them. */
export async function runBench(settings: BenchSettings): Promise<BenchResult> {
  const startedAt = new Date().toISOString();
  const loadBefore = loadavg()[0] ?? 0;
  const reports: WorkloadReport[] = [];
  for (const workload of settings.workloads) {
    const report = await workload.run(settings);
    settings.onReport?.(report);
    reports.push(report);
  }
  return {
    startedAt,
    scale: settings.scale,
    targets: settings.targets,
    machine: {
      node: process.version,
      processor: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      memoryBytes: totalmem(),
      loadBefore,
      loadAfter: loadavg()[0] ?? 0,
    },
    reports,
  };
}

/** Writes the result as JSON, every round included, and returns the file's path. */
export function saveResult(result: BenchResult, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = path.join(
    folder,
    `${result.startedAt.replaceAll(/[:.]/g, '-')}-${result.scale.name}.json`,
  );
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  return file;
}
