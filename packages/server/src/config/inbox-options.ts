import type { InboxOptions } from '@holdfast/inbox';
import type { Config } from './schema.ts';

/** The part of the configuration that says what becomes of notifications; where they escalate to is not in it. */
export function toInboxOptions({
  inbox,
}: Config): Pick<InboxOptions, 'categories' | 'retention' | 'redelivery' | 'escalation'> {
  const { retention, redelivery, escalation } = inbox;
  return {
    categories: Object.fromEntries(
      inbox.categories.map((category) => [
        category.name,
        {
          inApp: category.in_app,
          webhook: category.webhook,
          email: category.email,
          escalateAfterMs: category.escalate_after.ms,
        },
      ]),
    ),
    retention: {
      maxAgeMs: retention.max_age.ms,
      maxPerUser: retention.max_per_user,
      keepUnread: retention.keep_unread,
      sendsMs: retention.sends.ms,
    },
    redelivery: { maxAgeMs: redelivery.max_age.ms, limit: redelivery.limit },
    escalation: {
      maxAttempts: escalation.max_attempts,
      minBackoffMs: escalation.min_delay.ms,
      maxBackoffMs: escalation.max_delay.ms,
      timeoutMs: escalation.timeout.ms,
    },
  };
}
