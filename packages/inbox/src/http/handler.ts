import { createRouteHandler, type HttpInterfaceOptions, type RouteHandler } from '@holdfast/http';
import type { Inbox } from '../inbox.ts';
import { routes } from './routes.ts';

export interface InboxHandlerOptions extends HttpInterfaceOptions {
  /** @defaultValue '/inbox' */
  readonly basePath?: string;
  /** Most users of one streamed send. @defaultValue 1000000 */
  readonly maxRecipients?: number;
}

/**
 * The inbox over HTTP, for any server that speaks `Request` and `Response`: operations of servers
 * (API key) and, below `/me`, of users (their token), who can reach nothing but their own.
 */
export function createInboxHandler(inbox: Inbox, options: InboxHandlerOptions): RouteHandler {
  const { basePath = '/inbox', maxRecipients = 1_000_000 } = options;
  const service = { inbox, maxRecipients };
  return createRouteHandler(
    { routes, service, basePath, name: 'the inbox', invalidCode: 'inbox_invalid' },
    options,
  );
}
