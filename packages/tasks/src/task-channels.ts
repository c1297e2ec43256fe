import type { TaskRow } from './task-module.ts';

/** Where events go. */
export interface TaskChannels {
  /** Everything about one task, its output included. */
  readonly task: (task: Pick<TaskRow, 'id' | 'owner'>) => string;
  /** Every task of one owner, without output. Undefined for none. */
  readonly owner: (owner: string) => string | undefined;
}

/** Leaves room for the rest within the hub's limit of 255. */
const maxOwnerLength = 200;

/**
 * Channels that only the owner may subscribe to: the hub reads the user after `#`. An owner whose id
 * would name other users there (`,` and `#`), or is too long for a channel, gets none of its own, and
 * the channel of such a task names no user.
 */
export function ownerOnlyChannels(
  namespaces: { readonly task?: string; readonly owner?: string } = {},
): TaskChannels {
  const { task = 'task', owner: ofOwner = 'tasks' } = namespaces;
  return {
    task: ({ id, owner }) => (isNameable(owner) ? `${task}:${id}#${owner}` : `${task}:${id}`),
    owner: (owner) => (isNameable(owner) ? `${ofOwner}:#${owner}` : undefined),
  };
}

function isNameable(owner: string): boolean {
  return owner !== '' && owner.length <= maxOwnerLength && !/[#,]/.test(owner);
}
