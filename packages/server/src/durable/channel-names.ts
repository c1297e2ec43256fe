import { type ChannelNaming, personalChannels, userLimitedChannel } from '@holdfast/inbox';
import type { TaskChannels } from '@holdfast/tasks';
import type { Config } from '../config/index.ts';

/** How this configuration has channels named. */
export function channelNaming({ channel }: Config): ChannelNaming {
  return {
    namespaceBoundary: channel.namespace_boundary,
    userBoundary: channel.user_boundary,
    userSeparator: channel.user_separator,
    privatePrefix: channel.private_prefix,
    maxLength: channel.max_length,
  };
}

/** Names the channels of tasks: `task:<id>#42` for one of the user 42, `tasks:#42` for all of them. */
export function taskChannels(config: Config): TaskChannels {
  const { task_namespace: ofTask, user_namespace: ofUser } = config.tasks;
  const naming = channelNaming(config);
  const personal = personalChannels(ofUser, naming);
  return {
    task({ id, owner }) {
      const name = `${ofTask}${naming.namespaceBoundary}${id}`;
      return userLimitedChannel(name, owner, naming) ?? name;
    },
    // Tasks of the system itself are in nobody's.
    owner: (owner) => (owner === '' ? undefined : personal(owner)),
  };
}
