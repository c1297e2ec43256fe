import type { Notification } from '@holdfast/protocol/inbox';

/** One try to carry a notification out of the application. */
export interface EscalationAttempt {
  /** The same for every try of one notification, so that a receiver can drop repetitions. */
  readonly id: string;
  readonly user: string;
  readonly notification: Notification;
  /** From 1. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/**
 * Carries notifications out of the application. Resolves when the receiver has it; a rejection is
 * tried again with backoff, unless its error says `retryable: false`.
 */
export interface EscalationTarget {
  deliver(attempt: EscalationAttempt): Promise<void>;
}
