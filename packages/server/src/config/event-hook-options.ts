import type { EventHookOptions } from '../hooks/index.ts';
import { revealHeaders } from './hooks-options.ts';
import type { Config } from './schema.ts';

/** The part of the configuration that says who is told what happens. */
export function toEventHookOptions(config: Config): readonly EventHookOptions[] {
  return config.event_hooks.map((hook) => ({
    name: hook.name,
    endpoint: hook.endpoint,
    events: hook.events,
    channels: hook.channels,
    secret: hook.secret.reveal(),
    timeoutMs: hook.timeout.ms,
    includeConnectionMeta: hook.include_connection_meta,
    staticHeaders: revealHeaders(hook.http.static_headers),
    batchMaxEvents: hook.batch_max_events,
    batchMaxBytes: hook.batch_max_size,
    batchMaxDelayMs: hook.batch_max_delay.ms,
    retryMaxDelayMs: hook.retry_max_delay.ms,
    journalMaxBytes: hook.journal_max_size,
    journalSyncIntervalMs: hook.journal_sync_interval.ms,
  }));
}
