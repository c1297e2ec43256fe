import type { ChannelsOptions } from '@holdfast/hub';
import type { Config } from './schema.ts';

/** A namespace that a feature publishes into. */
export interface DurableNamespace {
  readonly name: string;
  /** The option that names it. */
  readonly option: readonly [string, string];
}

/** Namespaces that notifications and tasks publish into, as far as they are on. */
export function durableNamespaces({ store, inbox, tasks }: Config): readonly DurableNamespace[] {
  if (!store.enabled) return [];
  return [
    ...(inbox.enabled ? [{ name: inbox.namespace, option: ['inbox', 'namespace'] as const }] : []),
    ...(tasks.enabled
      ? [
          {
            name: tasks.task_namespace,
            option: ['tasks', 'task_namespace'] as const,
          },
          {
            name: tasks.user_namespace,
            option: ['tasks', 'user_namespace'] as const,
          },
        ]
      : []),
  ];
}

/**
 * Those of them that the configuration does not describe itself: with history and recovery, so that
 * a snapshot can be continued, and closed to everybody but those whom the feature lets in.
 */
export function automaticNamespaces(config: Config): ChannelsOptions['namespaces'] {
  const configured = new Set(config.channel.namespaces.map(({ name }) => name));
  return durableNamespaces(config)
    .filter(({ name }) => !configured.has(name))
    .map(({ name }) => ({
      name,
      historySize: 200,
      historyTtlMs: 600_000,
      forceRecovery: true,
      allowUserLimitedChannels: true,
    }));
}
