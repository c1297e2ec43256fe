import type { WorkloadReport } from '../report.ts';
import type { Scale } from '../scale.ts';
import { targetNames } from '../targets/target.ts';

export interface WorkloadContext {
  readonly scale: Scale;
  /** Names of the targets to measure, in the order of the first round. */
  readonly targets: readonly string[];
  /** Says what is going on now, in a few words. */
  readonly progress: (text: string) => void;
}

/** One question about the servers, asked of all of them under the same conditions. */
export interface Workload {
  readonly name: string;
  run(context: WorkloadContext): Promise<WorkloadReport>;
}

/** The target that others are compared with, and the one whose aims are judged. */
export const baseline = 'plain-ws';
export const subject = 'holdfast';

/**
 * The order of the targets in one round: everyone's turn comes first once, so that nobody always
 * profits from what the one before did to the machine.
 */
export function turnOrder<Item>(items: readonly Item[], round: number): readonly Item[] {
  const first = round % Math.max(1, items.length);
  return [...items.slice(first), ...items.slice(0, first)];
}

/** The targets that were measured, as the rows of a table. */
export function targetsOf(measurements: readonly { readonly target: string }[]): readonly string[] {
  return targetNames.filter((name) => measurements.some(({ target }) => target === name));
}
