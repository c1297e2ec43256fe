import type { ChannelEvent, Hub, SubscribeGrant } from '@holdfast/hub';
import type { Bytes } from '@holdfast/protocol';
import type { AdminSessions } from './admin-sessions.ts';

/** The user that pages of this server connect as. */
export const adminUser = 'holdfast-admin';

/**
 * Lets the pages of signed-in admins connect and subscribe to any channel, whatever tokens, hooks
 * and rules say to ordinary clients. Must be added to the hub before all other handlers.
 */
export function admitAdminPages(hub: Hub, sessions: AdminSessions): void {
  const admitted = new Set<string>();
  hub.on('connecting', ({ client, data }) => {
    const ticket = data && ticketIn(data);
    if (!ticket || sessions.verifyConnectionTicket(ticket) === undefined) return undefined;
    admitted.add(client);
    return { user: adminUser };
  });
  hub.on('subscribing', (event) => {
    return admitted.has(event.connection.client) ? grantFor(event) : undefined;
  });
  hub.on('disconnected', ({ connection }) => {
    admitted.delete(connection.client);
  });
}

/** Pages send `{"holdfast_admin": ticket}` as connect data; tokens belong to the application. */
function ticketIn(data: Bytes): string | undefined {
  try {
    const { holdfast_admin: ticket } = JSON.parse(Buffer.from(data).toString()) as {
      readonly holdfast_admin?: unknown;
    };
    return typeof ticket === 'string' ? ticket : undefined;
  } catch {
    return undefined;
  }
}

/** Recovery and join and leave wherever the channel has them: a page shows everything that it can. */
function grantFor({ options }: ChannelEvent): SubscribeGrant {
  const hasHistory = options.historySize > 0 && options.historyTtlMs > 0;
  return {
    overrides: {
      ...(hasHistory && { forceRecovery: true, forcePositioning: true }),
      ...(options.joinLeave && { forcePushJoinLeave: true }),
    },
  };
}
