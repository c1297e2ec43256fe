import type { ConnectionSummary } from '@holdfast/hub';
import { compact } from './api-json.ts';
import { type ApiMethod, define } from './api-method.ts';
import type { JsonWithRaw } from './raw-json.ts';
import { emptyResult } from './schemas.ts';
import * as schemas from './user-schemas.ts';

/** The methods about users: who is connected, and who must not be. */
export const userMethods = {
  connections: define({
    summary: 'Connections of all nodes, page by page',
    request: schemas.connectionsRequest,
    result: schemas.connectionsResult,
    async run({ hub }, request) {
      const page = await hub.connections(
        compact({ ...request, cursor: request.cursor || undefined }),
      );
      return { connections: page.connections.map(connectionJson), cursor: page.cursor };
    },
  }),
  online: define({
    summary: 'Which users are connected to any node, and when the others were last',
    request: schemas.onlineRequest,
    result: schemas.onlineResult,
    async run({ hub }, request) {
      const users = new Map<string, JsonWithRaw>();
      for (const [user, { isOnline, lastSeenAt }] of await hub.online(request.users)) {
        users.set(user, { online: isOnline, last_seen: lastSeenAt });
      }
      return { users };
    },
  }),
  block_user: define({
    summary: "End a user's connections on all nodes and refuse new ones",
    request: schemas.blockUserRequest,
    result: emptyResult,
    async run({ hub }, { user, expire_at: expireAt }) {
      await hub.blockUser(user, compact({ expireAt }));
      return {};
    },
  }),
  unblock_user: define({
    summary: 'Let a user in again',
    request: schemas.unblockUserRequest,
    result: emptyResult,
    async run({ hub }, { user }) {
      await hub.unblockUser(user);
      return {};
    },
  }),
  revoke_token: define({
    summary: 'Take back one token, with the connections and subscriptions made with it',
    request: schemas.revokeTokenRequest,
    result: emptyResult,
    async run({ hub }, { uid, expire_at: expireAt }) {
      await hub.revokeToken(uid, expireAt);
      return {};
    },
  }),
  invalidate_user_tokens: define({
    summary: 'Take back all tokens that a user got before a moment',
    request: schemas.invalidateUserTokensRequest,
    result: emptyResult,
    async run({ hub }, { user, expire_at: expireAt, issued_before: issuedBefore }) {
      await hub.invalidateUserTokens(user, { expireAt, ...compact({ issuedBefore }) });
      return {};
    },
  }),
} as const satisfies Record<string, ApiMethod>;

function connectionJson(connection: ConnectionSummary): JsonWithRaw {
  return {
    client: connection.client,
    user: connection.user,
    node: connection.node,
    transport: connection.transport,
    protocol: connection.format,
    address: connection.remoteAddress,
    app_name: connection.name,
    app_version: connection.version,
    connected_at: connection.connectedAt,
    num_subscriptions: connection.numSubscriptions,
  };
}
