import { DurationHistogram, LabelledCounter } from '@holdfast/hub';

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
/** How a call of a hook ended. */
export type CallOutcome = (typeof callOutcomes)[number];

/** What one hook has done at one endpoint; plain numbers, read at scrape time. */
export class HookCallMetrics {
  readonly outcomes = new LabelledCounter();
  readonly duration = new DurationHistogram();
}
