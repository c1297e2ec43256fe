import { type ChannelNaming, defaultChannelNaming, userLimitedChannel } from '@holdfast/protocol';
import type { TaskRow } from './task-module.ts';

/** Where events go. */
export interface TaskChannels {
  /** Everything about one task, its output included. */
  readonly task: (task: Pick<TaskRow, 'id' | 'owner'>) => string;
  /** Every task of one owner, without output. Undefined for none. */
  readonly owner: (owner: string) => string | undefined;
}

/**
 * Channels that their names open to the owner alone: `task:<id>#42` for one task of the user 42,
 * `tasks:#42` for all of them. An owner whose id cannot stand in a name gets none of the second kind,
 * and the channel of such a task names no user.
 */
export function ownerOnlyChannels(
  namespaces: { readonly task?: string; readonly owner?: string } = {},
  naming: ChannelNaming = defaultChannelNaming,
): TaskChannels {
  const { task: ofTask = 'task', owner: ofOwner = 'tasks' } = namespaces;
  const { namespaceBoundary } = naming;
  return {
    task({ id, owner }) {
      const name = `${ofTask}${namespaceBoundary}${id}`;
      return userLimitedChannel(name, owner, naming) ?? name;
    },
    owner: (owner) => userLimitedChannel(`${ofOwner}${namespaceBoundary}`, owner, naming),
  };
}
