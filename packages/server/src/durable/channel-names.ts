import { personalChannels } from '@holdfast/inbox';
import type { ChannelNaming } from '@holdfast/protocol';
import { ownerOnlyChannels, type TaskChannels } from '@holdfast/tasks';
import type { Config } from '../config/index.ts';

/** How this configuration has channels named. */
export function channelNaming({ channel }: Config): ChannelNaming {
  return {
    privatePrefix: channel.private_prefix,
    namespaceBoundary: channel.namespace_boundary,
    userBoundary: channel.user_boundary,
    userSeparator: channel.user_separator,
    maxLength: channel.max_length,
  };
}

/**
 * Names the channels of tasks. Every owner has one of their own, whatever their id, as every user has
 * one of notifications.
 */
export function taskChannels(config: Config): TaskChannels {
  const { task_namespace: ofTask, user_namespace: ofUser } = config.tasks;
  const naming = channelNaming(config);
  const personal = personalChannels(ofUser, naming);
  return {
    ...ownerOnlyChannels({ task: ofTask }, naming),
    // Tasks of the system itself are in nobody's.
    owner: (owner) => (owner === '' ? undefined : personal(owner)),
  };
}
