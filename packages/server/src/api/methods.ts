import type { Hub, HistoryPage, PublishOptions, SubscribeOptions } from '@holdfast/hub';
import {
  ReplyError,
  replyErrors,
  type Bytes,
  type ClientInfo,
  type Publication,
} from '@holdfast/protocol';
import type { z } from 'zod';
import { decodeUtf8, isJson, jsonBytes, type JsonWithRaw } from './raw-json.ts';
import * as schemas from './schemas.ts';

/** Answers one method of `POST /api/rpc`. What it throws as `ReplyError` is the answer. */
export type RpcMethod = (params: Bytes | undefined) => Promise<Bytes | undefined>;

/** What the methods act on. */
export interface ApiTarget {
  readonly hub: Hub;
  /** Methods behind `rpc`, by name. */
  readonly rpc: ReadonlyMap<string, RpcMethod>;
}

/** One method of the API: what it is for, what it takes, what it gives and what it does. */
export interface ApiMethod {
  readonly summary: string;
  readonly request: z.ZodObject;
  /** Members of the request that are application data. */
  readonly rawMembers: ReadonlySet<string>;
  readonly result: z.ZodObject;
  /** @param request - as `request` parses it. @throws ReplyError as the answer. */
  run(target: ApiTarget, request: unknown): Promise<JsonWithRaw>;
}

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
} as const satisfies Record<string, ApiMethod>;

export type ApiMethodName = keyof typeof apiMethods;

export function isApiMethodName(name: string): name is ApiMethodName {
  return Object.hasOwn(apiMethods, name);
}

/** An error as the API writes it. */
export function errorJson(error: ReplyError): {
  readonly code: number;
  readonly message: string;
  readonly temporary?: true;
} {
  const { code, message, temporary } = error;
  return temporary ? { code, message, temporary } : { code, message };
}

/** Ties the type of `run` to the schema of the request. */
function define<Request extends z.ZodObject>(method: {
  readonly summary: string;
  readonly request: Request;
  readonly result: z.ZodObject;
  run(target: ApiTarget, request: z.output<Request>): Promise<JsonWithRaw>;
}): ApiMethod {
  return { ...method, rawMembers: schemas.rawMembersOf(method.request) };
}

function payloadOf({ data, b64data }: schemas.PublicationRequest): Bytes {
  const payload = b64data ?? data;
  if (!payload) {
    throw new ReplyError(replyErrors.badRequest.code, 'bad request: data or b64data is required');
  }
  return payload;
}

function publishOptions(request: schemas.PublicationRequest): PublishOptions {
  return compact({
    tags: request.tags,
    idempotencyKey: request.idempotency_key || undefined,
    skipHistory: request.skip_history,
    delta: request.delta,
    version: request.version,
    versionEpoch: request.version_epoch || undefined,
    excludeClient: request.exclude_client || undefined,
  });
}

function subscribeOptions(request: z.output<typeof schemas.subscribeRequest>): SubscribeOptions {
  const { override } = request;
  return compact({
    expireAt: request.expire_at,
    info: request.b64info ?? request.info,
    data: request.b64data ?? request.data,
    recoverSince: request.recover_since,
    overrides:
      override &&
      compact({
        presence: override.presence?.value,
        joinLeave: override.join_leave?.value,
        forcePushJoinLeave: override.force_push_join_leave?.value,
        forcePositioning: override.force_positioning?.value,
        forceRecovery: override.force_recovery?.value,
      }),
  });
}

function selectorOf(request: {
  readonly user: string;
  readonly client?: string | undefined;
  readonly session?: string | undefined;
}): { readonly user: string; readonly client?: string; readonly session?: string } {
  const { user, client, session } = request;
  return { user, ...(client && { client }), ...(session && { session }) };
}

type Compact<Value> = { [Name in keyof Value]?: Exclude<Value[Name], undefined> };

/** Leaves out the members that are undefined, which is what optional members of the hub expect. */
function compact<Value extends object>(value: Value): Compact<Value> {
  const present = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(present) as Compact<Value>;
}

function historyJson({ publications, position }: HistoryPage): JsonWithRaw {
  return { publications: publications.map(publicationJson), ...position };
}

function publicationJson({ data, info, offset, tags }: Publication): JsonWithRaw {
  return {
    ...bytesJson('data', data),
    info: info && clientInfoJson(info),
    offset,
    tags: tags && new Map(Object.entries(tags)),
  };
}

function clientInfoJson(info: ClientInfo): JsonWithRaw {
  return {
    user: info.user,
    client: info.client,
    ...bytesJson('conn_info', info.conn_info),
    ...bytesJson('chan_info', info.chan_info),
  };
}

/**
 * Bytes of a client under `name`, or in base64 under `b64` + `name` when they are no JSON text, as
 * binary data of Protobuf clients is not.
 */
function bytesJson(name: string, bytes: Bytes | undefined): Record<string, JsonWithRaw> {
  if (!bytes || bytes.length === 0) return {};
  const text = decodeUtf8(bytes);
  return text !== undefined && isJson(text)
    ? { [name]: jsonBytes(text) }
    : { [`b64${name}`]: Buffer.from(bytes).toString('base64') };
}
