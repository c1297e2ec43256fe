import { ReplyError, replyErrors } from '@holdfast/protocol';
import {
  bytesJson,
  clientInfoJson,
  compact,
  errorJson,
  historyJson,
  payloadOf,
  publishOptions,
  selectorOf,
  subscribeOptions,
} from './api-json.ts';
import { type ApiMethod, define } from './api-method.ts';
import { mapMethods } from './map-methods.ts';
import type { JsonWithRaw } from './raw-json.ts';
import * as schemas from './schemas.ts';
import { userMethods } from './user-methods.ts';

/**
 * The methods that stand on their own; `batch` is made of them. Server-side operations skip client
 * permissions: whoever has the key may do everything.
 */
export const apiMethods = {
  publish: define({
    summary: 'Publish into a channel',
    request: schemas.publishRequest,
    result: schemas.publishResult,
    async run({ hub }, { channel, ...publication }) {
      const { position } = await hub.publish(
        channel,
        payloadOf(publication),
        publishOptions(publication),
      );
      return { ...position };
    },
  }),
  broadcast: define({
    summary: 'Publish the same data into many channels',
    request: schemas.broadcastRequest,
    result: schemas.broadcastResult,
    async run({ hub }, { channels, ...publication }) {
      const results = await hub.broadcast(
        channels,
        payloadOf(publication),
        publishOptions(publication),
      );
      return {
        responses: results.map((result) =>
          result instanceof ReplyError
            ? { error: errorJson(result) }
            : { result: { ...result.position } },
        ),
      };
    },
  }),
  publish_to_pattern: define({
    summary: 'Publish into every channel that has subscribers and matches a pattern',
    request: schemas.publishToPatternRequest,
    result: schemas.publishToPatternResult,
    async run({ hub }, { pattern, ...publication }) {
      const results = await hub.publishToPattern(
        pattern,
        payloadOf(publication),
        publishOptions(publication),
      );
      const errors = new Map<string, JsonWithRaw>();
      for (const [channel, result] of results) {
        if (result instanceof ReplyError) errors.set(channel, errorJson(result));
      }
      return { num_channels: results.size - errors.size, errors };
    },
  }),
  message_to_all: define({
    summary: 'Send a message, outside of any channel, to every connection',
    request: schemas.messageToAllRequest,
    result: schemas.messageToAllResult,
    run: async ({ hub }, { data }) => ({ num_connections: await hub.messageToAll(data) }),
  }),
  subscribe: define({
    summary: "Subscribe a user to a channel from the server's side",
    request: schemas.subscribeRequest,
    result: schemas.emptyResult,
    async run({ hub }, request) {
      await hub.subscribe(selectorOf(request), request.channel, subscribeOptions(request));
      return {};
    },
  }),
  unsubscribe: define({
    summary: 'Unsubscribe a user from a channel, or from all',
    request: schemas.unsubscribeRequest,
    result: schemas.emptyResult,
    async run({ hub }, request) {
      await hub.unsubscribe(selectorOf(request), request.channel);
      return {};
    },
  }),
  disconnect: define({
    summary: "Close a user's connections",
    request: schemas.disconnectRequest,
    result: schemas.emptyResult,
    async run({ hub }, { disconnect, whitelist, ...request }) {
      const selector = { ...selectorOf(request), ...(whitelist && { whitelist }) };
      await hub.disconnect(selector, disconnect);
      return {};
    },
  }),
  refresh: define({
    summary: "Move the expiry of a user's connections, or let them expire now",
    request: schemas.refreshRequest,
    result: schemas.emptyResult,
    async run({ hub }, { expired, expire_at: expireAt, info, ...request }) {
      await hub.refresh(selectorOf(request), compact({ expired, expireAt, info }));
      return {};
    },
  }),
  presence: define({
    summary: 'Who is in a channel right now',
    request: schemas.channelRequest,
    result: schemas.presenceResult,
    async run({ hub }, { channel }) {
      const presence = new Map<string, JsonWithRaw>();
      for (const [client, info] of await hub.presence(channel)) {
        presence.set(client, clientInfoJson(info));
      }
      return { presence };
    },
  }),
  presence_stats: define({
    summary: 'How many clients and users are in a channel right now',
    request: schemas.channelRequest,
    result: schemas.presenceStatsResult,
    async run({ hub }, { channel }) {
      const { clients, users } = await hub.presenceStats(channel);
      return { num_clients: clients, num_users: users };
    },
  }),
  history: define({
    summary: 'Publications of a channel and the position of its stream',
    request: schemas.historyRequest,
    result: schemas.historyResult,
    async run({ hub }, { channel, limit, since, reverse }) {
      return historyJson(await hub.history(channel, compact({ limit, since, reverse })));
    },
  }),
  history_remove: define({
    summary: 'Drop the publications of a channel; its position stays',
    request: schemas.channelRequest,
    result: schemas.emptyResult,
    async run({ hub }, { channel }) {
      await hub.removeHistory(channel);
      return {};
    },
  }),
  channels: define({
    summary: 'Channels that have subscribers. For debugging: the answer is not paged',
    request: schemas.channelsRequest,
    result: schemas.channelsResult,
    async run({ hub }, { pattern }) {
      const channels = new Map<string, JsonWithRaw>();
      for (const [name, { numClients }] of await hub.channels(pattern || undefined)) {
        channels.set(name, { num_clients: numClients });
      }
      return { channels };
    },
  }),
  info: define({
    summary: 'The nodes that are running',
    request: schemas.infoRequest,
    result: schemas.infoResult,
    run: ({ hub }) =>
      Promise.resolve({ nodes: hub.nodes().map((node) => new Map(Object.entries(node))) }),
  }),
  rpc: define({
    summary: 'Call a method that an extension of the server registered',
    request: schemas.rpcRequest,
    result: schemas.rpcResult,
    async run({ rpc }, { method, params }) {
      const handler = rpc.get(method);
      if (!handler) throw replyErrors.methodNotFound;
      return bytesJson('data', await handler(params));
    },
  }),
  ...mapMethods,
  ...userMethods,
} as const satisfies Record<string, ApiMethod>;

export type ApiMethodName = keyof typeof apiMethods;

export function isApiMethodName(name: string): name is ApiMethodName {
  return Object.hasOwn(apiMethods, name);
}
