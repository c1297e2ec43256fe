import type { OpenApiPart } from '@holdfast/http';
import type { Hub, Logger } from '@holdfast/hub';
import {
  createInboxHandler,
  createTradingAgentsFace,
  type Inbox,
  inboxOpenApi,
} from '@holdfast/inbox';
import { createTasksHandler, createWorkerApi, tasksOpenApi, type Tasks } from '@holdfast/tasks';
import type { Config } from '../config/index.ts';
import type { Authentication } from './authentication.ts';
import type { ProblemLog } from './problem-log.ts';
import type { RequestHandler } from './request-handler.ts';

/** What requests are answered with. */
export interface RequestHandling {
  readonly inbox?: Inbox;
  readonly tasks?: Tasks;
  readonly access: RequestAccess;
}

/** Who may send requests, and how fast. */
export interface RequestAccess extends Authentication {
  /** @throws HttpRefusal for one request too many */
  readonly admitUser: (user: string) => void;
}

interface HandlerContext {
  readonly config: Config;
  readonly hub: Pick<Hub, 'speak'>;
  readonly logger: Logger;
  readonly problems: ProblemLog;
}

/** Everything of the store's features that is served over plain HTTP. */
export function createRequestHandlers(
  { inbox, tasks, access }: RequestHandling,
  context: HandlerContext,
): readonly RequestHandler[] {
  return [
    ...(inbox === undefined ? [] : inboxHandlers(inbox, access, context)),
    ...(inbox === undefined ? [] : tradingAgentsHandlers(inbox, access, context)),
    ...(tasks === undefined ? [] : taskHandlers(tasks, access, context)),
    ...(tasks === undefined ? [] : workerHandlers(tasks, context)),
  ];
}

function inboxHandlers(
  inbox: Inbox,
  access: RequestAccess,
  { config: { inbox: options }, problems }: HandlerContext,
): readonly RequestHandler[] {
  const basePath = options.handler_prefix;
  const handle = createInboxHandler(inbox, {
    basePath,
    ...access,
    maxBodyBytes: options.max_body_size,
    maxRecipients: options.max_recipients,
    openTopics: options.open_topics,
    onProblem: problems.error,
  });
  return sides(handle, { path: basePath, openApi: inboxOpenApi(basePath) });
}

function tradingAgentsHandlers(
  inbox: Inbox,
  access: RequestAccess,
  { config, hub, problems }: HandlerContext,
): readonly RequestHandler[] {
  const { tradingagents, tradingagents_user_connection_limit: limit } = config.inbox.faces;
  if (!tradingagents) return [];
  const handle = createTradingAgentsFace({
    inbox,
    ...access,
    speak: (path, dialect) => hub.speak(path, dialect),
    userConnectionLimit: limit,
    onProblem: problems.error,
  });
  return [
    { path: '/api/notifications', audience: 'users', handle },
    { path: '/api/ws/stats', audience: 'servers', handle },
  ];
}

/** What is for users is below `/me`, and nothing else is. */
function sides(
  handle: RequestHandler['handle'],
  { path, openApi }: { readonly path: string; readonly openApi: OpenApiPart },
): readonly RequestHandler[] {
  return [
    { path: `${path}/me`, audience: 'users', handle },
    { path, audience: 'servers', handle, openApi },
  ];
}

function taskHandlers(
  tasks: Tasks,
  access: RequestAccess,
  { config: { tasks: options }, problems }: HandlerContext,
): readonly RequestHandler[] {
  const basePath = options.handler_prefix;
  const admins = new Set(options.admins);
  const handle = createTasksHandler(tasks, {
    basePath,
    ...access,
    isAdmin: (user) => admins.has(user),
    maxOutputStreams: options.max_output_readers,
    onProblem: problems.error,
  });
  return sides(handle, { path: basePath, openApi: tasksOpenApi(basePath) });
}

/** Workers have a token of their own; the API key opens this as everything else. */
export function workerTokens({ tasks, http_api: api }: Config): readonly string[] {
  return [tasks.worker_token.reveal(), api.key.reveal()].filter((one) => one !== '');
}

function workerHandlers(
  tasks: Tasks,
  { config, logger }: HandlerContext,
): readonly RequestHandler[] {
  const { worker_handler_prefix: prefix } = config.tasks;
  const tokens = workerTokens(config);
  if (tokens.length === 0) return [];
  const handle = createWorkerApi({ tasks, tokens, prefix, logger });
  return [{ path: prefix, audience: 'servers', handle }];
}
