import { LabelledCounter } from '@holdfast/hub';

/** How a call ended. Everything but `answered` and `canceled` became an error for the client. */
export const callOutcomes = [
  /** The backend gave a usable answer, whatever it said. */
  'answered',
  /** The backend answered with a status that has no transform. */
  'status',
  /** The backend's answer was too long, not JSON or not of the documented shape. */
  'invalid_answer',
  'timeout',
  'network',
  /** Not sent: the circuit is open. */
  'circuit_open',
  /** Not sent: too many calls wait already. */
  'queue_full',
  /** The client went away first. */
  'canceled',
] as const;
export type CallOutcome = (typeof callOutcomes)[number];

/** Upper bounds in seconds. */
export const durationBuckets: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/** How long calls took, waiting included, as a histogram that is not cumulative. */
export class DurationHistogram {
  readonly counts: number[] = Array.from({ length: durationBuckets.length + 1 }, () => 0);
  sumSeconds = 0;
  count = 0;

  observe(milliseconds: number): void {
    const seconds = milliseconds / 1000;
    const bucket = durationBuckets.findIndex((bound) => seconds <= bound);
    const index = bucket === -1 ? durationBuckets.length : bucket;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sumSeconds += seconds;
    this.count += 1;
  }
}

/** What one hook has done at one endpoint; plain numbers, read at scrape time. */
export class HookCallMetrics {
  readonly outcomes = new LabelledCounter();
  readonly duration = new DurationHistogram();
}
