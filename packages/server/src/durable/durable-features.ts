import { ReplyError } from '@holdfast/protocol';
import { createInbox, type Inbox, personalChannels } from '@holdfast/inbox';
import type { Hub, Logger } from '@holdfast/hub';
import { type Store, storeErrorCodes } from '@holdfast/store';
import { createTasks, TaskError, type Tasks, type TaskTables } from '@holdfast/tasks';
import {
  toInboxOptions,
  toOutboxOptions,
  toScheduleRules,
  toTaskOptions,
  type Config,
} from '../config/index.ts';
import { StartError } from '../start-error.ts';
import { createAuthentication } from './authentication.ts';
import { channelNaming, taskChannels } from './channel-names.ts';
import { createEscalationTargets } from './escalation-targets.ts';
import { grantOwnChannels } from './grant-own-channels.ts';
import type { RequestHandler } from './request-handler.ts';
import { ProblemLog } from './problem-log.ts';
import { createRequestHandlers } from './request-handlers.ts';
import { UserRequestLimit } from './user-request-limit.ts';

export interface DurableContext {
  readonly config: Config;
  readonly hub: Hub;
  readonly logger: Logger;
}

/** What stands on the store. Each is absent where the configuration has it off. */
export interface DurableFeatures {
  readonly store: Store;
  readonly inbox?: Inbox;
  readonly tasks?: Tasks;
  readonly userRequests: UserRequestLimit;
  /** Everything that is served over plain HTTP, the first that answers wins. */
  readonly requestHandlers: readonly RequestHandler[];
  /** What does not work although this node can serve, each with its reason. No addresses in it. */
  concerns(): readonly string[];
  /**
   * Ends what works in the background, publishes what is left while the hub still can, within
   * `timeoutMs`; what remains is published after the next start. Call it before the hub's shutdown.
   */
  quiesce(timeoutMs: number): Promise<void>;
  /** Closes the store. Call it after the hub's shutdown. */
  close(): Promise<void>;
}

/**
 * Starts what stands on the store: the outbox publishes into the hub, notifications and tasks do
 * their background work.
 *
 * @throws StartError when what is configured cannot work; the store is closed then
 */
export async function startDurableFeatures(
  store: Store,
  context: DurableContext,
): Promise<DurableFeatures> {
  const { config, hub, logger } = context;
  const targets = config.inbox.enabled ? createTargets(config) : {};
  const problems = new ProblemLog(logger);
  const onProblem = problems.warn;
  store.outbox.start({
    ...toOutboxOptions(config),
    publish: (channel, data, options) => hub.publish(channel, data, options),
    onProblem,
    onDiscarded: ({ reason, channels, count, error }) =>
      logger.error(
        { reason, count, channels: channels.slice(0, 10), err: error },
        'events were given up; what they told of is in the store',
      ),
  });
  const position = (channel: string) => positionOf(hub, channel);
  const inboxOptions = toInboxOptions(config);
  const inbox = config.inbox.enabled
    ? createInbox({
        ...inboxOptions,
        escalation: { ...inboxOptions.escalation, ...targets },
        store,
        position: async (channel) => (await position(channel)) ?? { offset: 0, epoch: '' },
        channelOf: personalChannels(config.inbox.namespace, channelNaming(config)),
        onProblem,
      })
    : undefined;
  let tasks: Tasks | undefined;
  try {
    if (config.tasks.enabled) {
      tasks = await startTasks(store, { config, logger: problems.logger, position });
    }
  } catch (error) {
    await inbox?.close();
    targets.email?.close();
    throw error;
  }
  const features = { ...(inbox && { inbox }), ...(tasks && { tasks }) };
  const stopGranting = grantOwnChannels(hub, features, config);
  const authentication = createAuthentication(config, hub);
  const { http_rate_limit: rateLimit } = config.client;
  const userRequests = new UserRequestLimit({
    perSecond: rateLimit.user_requests_per_second,
    burst: rateLimit.user_request_burst,
  });
  return {
    store,
    ...features,
    userRequests,
    requestHandlers: createRequestHandlers(
      { ...features, access: { ...authentication, admitUser: userRequests.admit } },
      { config, hub, logger, problems },
    ),
    concerns: () => [...describeStore(store), ...(tasks?.problems() ?? [])],
    async quiesce(timeoutMs) {
      await Promise.all([inbox?.close(), tasks?.close()]);
      targets.email?.close();
      await store.outbox.drain(timeoutMs);
    },
    async close() {
      stopGranting();
      await store.close();
    },
  };
}

function createTargets(config: Config): ReturnType<typeof createEscalationTargets> {
  try {
    return createEscalationTargets(config);
  } catch (error) {
    throw new StartError(
      'inbox',
      `Notifications cannot be carried on: ${(error as Error).message}. Correct inbox.escalation.`,
      { cause: error },
    );
  }
}

async function startTasks(
  store: Store,
  {
    config,
    logger,
    position,
  }: Omit<DurableContext, 'hub'> & {
    readonly position: (channel: string) => ReturnType<typeof positionOf>;
  },
): Promise<Tasks> {
  try {
    const tasks = await createTasks({
      ...toTaskOptions(config),
      store: store.withTables<TaskTables>(),
      logger,
      position,
      channels: taskChannels(config),
    });
    for (const [name, rule] of toScheduleRules(config)) await tasks.schedules.define(name, rule);
    await tasks.start();
    return tasks;
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    throw new StartError(
      'tasks',
      `Tasks cannot be kept: ${error.message}. Correct the section tasks.`,
      {
        cause: error,
      },
    );
  }
}

/** Where a channel stands; undefined where its namespace keeps no history, so that there is no position. */
async function positionOf(
  hub: Hub,
  channel: string,
): Promise<{ readonly offset: number; readonly epoch: string } | undefined> {
  try {
    return (await hub.history(channel, { limit: 0 })).position;
  } catch (error) {
    if (error instanceof ReplyError && !error.temporary) return undefined;
    throw error;
  }
}

const longLagMs = 60_000;

function describeStore(store: Store): readonly string[] {
  const { outbox } = store.metrics;
  const found: string[] = [];
  const problem = store.problem();
  if (problem !== undefined) {
    // Not its message, which has an address in it.
    const why = `${problem.code}: ${storeErrorCodes[problem.code].remedy}`;
    found.push(`the store cannot be used right now (${why}); notifications and tasks wait for it`);
  }
  if (outbox.oldestMs > longLagMs || outbox.blockedChannels > 0) {
    found.push(
      `${outbox.waiting} events of the store wait to be published, the oldest for ${Math.round(outbox.oldestMs / 1000)} s; the log says what keeps them`,
    );
  }
  return found;
}
