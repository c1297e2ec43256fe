import type { Hub } from '@holdfast/hub';
import type { Inbox } from '@holdfast/inbox';
import { TaskError, type Tasks } from '@holdfast/tasks';
import type { Config } from '../config/index.ts';

/**
 * Lets users into the channels of their own that names alone do not open: the channel of a task of
 * theirs, and channels of users whose ids cannot stand in a name. All others are left to tokens,
 * hooks and the rules of the namespace.
 * @returns the function that ends it
 */
export function grantOwnChannels(
  hub: Pick<Hub, 'on'>,
  { inbox, tasks }: { readonly inbox?: Inbox; readonly tasks?: Tasks },
  config: Config,
): () => void {
  const taskPrefix = `${config.tasks.task_namespace}${config.channel.namespace_boundary}`;
  return hub.on('subscribing', ({ connection: { user }, channel }) => {
    if (user === '') return undefined;
    if (channel === inbox?.channelOf(user)) return {};
    if (tasks === undefined) return undefined;
    if (channel === tasks.context.channels.owner(user)) return {};
    if (!channel.startsWith(taskPrefix)) return undefined;
    return grantOwner(tasks, channel.slice(taskPrefix.length), user);
  });
}

async function grantOwner(tasks: Tasks, id: string, user: string): Promise<object | undefined> {
  try {
    const { owner } = await tasks.get(id);
    return owner === user ? {} : undefined;
  } catch (error) {
    if (error instanceof TaskError) return undefined;
    throw error;
  }
}
