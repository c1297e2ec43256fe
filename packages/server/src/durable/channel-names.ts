import { createHash } from 'node:crypto';
import type { TaskChannels } from '@holdfast/tasks';
import type { Config } from '../config/index.ts';

/** Printable ASCII without space, which every namespace takes. */
const plain = /^[\x21-\x7e]+$/;

/**
 * Whether a user id can stand at the end of a channel's name, so that the hub lets that user in and
 * nobody else: it must name one user, and fit.
 */
function isNameable(
  user: string,
  { user_boundary: mark, user_separator: separator, max_length: maxLength }: Config['channel'],
): boolean {
  return (
    plain.test(user) &&
    user.length <= maxLength - longestRest &&
    !user.includes(mark) &&
    !user.includes(separator)
  );
}

/** Room for a namespace, the id of a task and the boundaries. */
const longestRest = 80;

/**
 * Names the channel of a user in a namespace: `inbox:#42`. A user whose id cannot stand there gets
 * one named by a digest of it; `grantOwnChannels` lets the user into that.
 */
export function personalChannels(namespace: string, { channel }: Config): (user: string) => string {
  const start = `${namespace}${channel.namespace_boundary}`;
  return (user) =>
    isNameable(user, channel)
      ? `${start}${channel.user_boundary}${user}`
      : `${start}${createHash('sha256').update(user).digest('base64url')}`;
}

/** Names the channels of tasks: `task:<id>#42` for one of the user 42, `tasks:#42` for all of them. */
export function taskChannels(config: Config): TaskChannels {
  const { tasks, channel } = config;
  const personal = personalChannels(tasks.user_namespace, config);
  return {
    task({ id, owner }) {
      const name = `${tasks.task_namespace}${channel.namespace_boundary}${id}`;
      return isNameable(owner, channel) ? `${name}${channel.user_boundary}${owner}` : name;
    },
    // Tasks of the system itself are in nobody's.
    owner: (owner) => (owner === '' ? undefined : personal(owner)),
  };
}
