import type { EscalationTable } from './inbox-module.ts';

/** How an attempt to carry a notification out of the application ended; `given_up` was the last one. */
export type AttemptOutcome = 'delivered' | 'failed' | 'given_up';

/** What the inbox counts, as plain numbers that are read at scrape time. */
export class InboxMetrics {
  /** Attempts of this process, by target and outcome. */
  readonly attempts: Map<
    EscalationTable['target'],
    { readonly [Outcome in AttemptOutcome]: number }
  > = new Map();

  countAttempt(target: EscalationTable['target'], outcome: AttemptOutcome): void {
    const counts = this.attempts.get(target) ?? { delivered: 0, failed: 0, given_up: 0 };
    this.attempts.set(target, { ...counts, [outcome]: counts[outcome] + 1 });
  }
}
