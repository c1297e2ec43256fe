import { createRouteHandler, type HttpInterfaceOptions, type RouteHandler } from '@holdfast/http';
import type { Inbox } from '../inbox.ts';
import { routes } from './routes.ts';

/** Who may use the HTTP interface, and where it is. */
export interface InboxHandlerOptions extends HttpInterfaceOptions {
  /** @defaultValue '/inbox' */
  readonly basePath?: string;
  /** Most users of one streamed send. @defaultValue 1000000 */
  readonly maxRecipients?: number;
  /**
   * Topics that users may subscribe to by themselves: names, or beginnings of names that end with `*`.
   * To all others, which may be told what is not for everybody, only servers subscribe them.
   * @defaultValue []
   */
  readonly openTopics?: readonly string[];
}

/**
 * The inbox over HTTP, for any server that speaks `Request` and `Response`: operations of servers
 * (API key) and, below `/me`, of users (their token), who can reach nothing but their own.
 */
export function createInboxHandler(inbox: Inbox, options: InboxHandlerOptions): RouteHandler {
  const { basePath = '/inbox', maxRecipients = 1_000_000, openTopics = [] } = options;
  const isOpenTopic = (topic: string): boolean =>
    openTopics.some((open) =>
      open.endsWith('*') ? topic.startsWith(open.slice(0, -1)) : topic === open,
    );
  const service = { inbox, maxRecipients, isOpenTopic };
  return createRouteHandler(
    { routes, service, basePath, name: 'the inbox', invalidCode: 'inbox_invalid' },
    options,
  );
}
