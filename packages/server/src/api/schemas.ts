import type { Bytes } from '@holdfast/protocol';
import { z } from 'zod';

/**
 * What the HTTP API takes and gives. These schemas are the only description of it: requests are
 * checked by them, the OpenAPI document is made of them, and tests hold replies against them.
 *
 * Every object ignores members that it does not know, as Centrifugo does.
 *
 * @module
 */

/** Marks members that are cut out of the request as text instead of being parsed. */
const rawSchemas = new WeakSet<z.ZodType>();

/** Any JSON value, kept as the UTF-8 text it is. */
function rawJson(description: string): z.ZodCustom<Bytes> {
  const schema = z.custom<Bytes>((value) => value instanceof Uint8Array).meta({ description });
  rawSchemas.add(schema);
  return schema;
}

function isRaw(schema: z.ZodType): boolean {
  return schema instanceof z.ZodOptional
    ? isRaw(schema.unwrap() as z.ZodType)
    : rawSchemas.has(schema);
}

/** Names of the members of an object schema that are raw JSON. */
export function rawMembersOf(schema: z.ZodObject): ReadonlySet<string> {
  const members = Object.entries(schema.shape) as [string, z.ZodType][];
  return new Set(members.filter(([, member]) => isRaw(member)).map(([name]) => name));
}

const base64Bytes = (description: string) =>
  z
    .codec(z.base64(), z.custom<Bytes>(), {
      decode: (text) => Buffer.from(text, 'base64'),
      encode: (bytes) => Buffer.from(bytes).toString('base64'),
    })
    .meta({ description });

export const channel = z
  .string()
  .min(1, 'must not be empty')
  .meta({ description: 'Channel name', examples: ['news'] });
export const offset = z.int().min(0);
const unixSeconds = (description: string) => z.int().min(0).meta({ description });

const user = z.string().meta({ description: 'User id; empty means anonymous users' });
const selectorShape = {
  user: user.default(''),
  client: z.string().optional().meta({ description: 'Only this connection' }),
  session: z.string().optional().meta({ description: 'Only this session' }),
};

export const position = z.object({ offset: offset.default(0), epoch: z.string().default('') });

export const publicationShape = {
  data: rawJson('The payload, any JSON value; carried to subscribers as it is written').optional(),
  b64data: base64Bytes('The payload as base64, for binary data; instead of `data`').optional(),
  skip_history: z.boolean().optional().meta({ description: 'Do not keep it in history' }),
  tags: z
    .record(z.string(), z.string())
    .optional()
    .meta({ description: 'Attached to the publication; tags filters look at them' }),
  idempotency_key: z.string().optional().meta({
    description:
      'A repeated publish with the same key within five minutes changes nothing and gets the same answer',
  }),
  delta: z
    .boolean()
    .optional()
    .meta({ description: 'Offer it as a delta to subscribers that negotiated deltas' }),
  version: offset.optional().meta({
    description: 'Suppress the publish unless this is above the version the channel has',
  }),
  version_epoch: z
    .string()
    .optional()
    .meta({ description: 'Versions of different epochs never compare' }),
  exclude_client: z.string().optional().meta({
    description:
      'Client id that does not get the publication, usually the one whose request caused it. Not known to Centrifugo',
  }),
};

export const publishRequest = z.object({ channel, ...publicationShape });
export const publishResult = z.object({
  offset: offset.optional().meta({ description: 'Present when the channel has history' }),
  epoch: z.string().optional(),
});

export const broadcastRequest = z.object({
  channels: z.array(channel).min(1, 'must not be empty').max(100_000),
  ...publicationShape,
});

export const publishToPatternRequest = z.object({
  pattern: z
    .string()
    .min(1, 'must not be empty')
    .meta({ description: 'Glob over channels, as of `channels`', examples: ['chat:*'] }),
  ...publicationShape,
});

export const messageToAllRequest = z.object({
  data: rawJson('Any JSON value of at most 64 KiB'),
});

export const messageToAllResult = z.object({
  num_connections: z.int().meta({ description: 'Connections that it was queued for' }),
});

/** An error as every reply carries it, and the whole body in transport error mode. */
export const errorObject = z
  .object({
    code: z.int(),
    message: z.string(),
    temporary: z
      .literal(true)
      .optional()
      .meta({ description: 'Trying the same again later can help' }),
  })
  .meta({ id: 'Error', description: 'What went wrong' });

export const broadcastResult = z.object({
  responses: z
    .array(z.object({ result: publishResult.optional(), error: errorObject.optional() }))
    .meta({ description: 'One per channel, in the order of the request' }),
});

export const publishToPatternResult = z.object({
  num_channels: z.int().meta({ description: 'Channels that were published to' }),
  errors: z.record(z.string(), errorObject).meta({ description: 'By channel, where it failed' }),
});

const override = z.object({ value: z.boolean() }).optional();

export const subscribeRequest = z.object({
  channel,
  ...selectorShape,
  expire_at: unixSeconds('Unix seconds; 0 or absent: never').optional(),
  info: rawJson('Becomes `chan_info`').optional(),
  b64info: base64Bytes('As `info`, for binary data').optional(),
  data: rawJson('Sent to the client in the subscribe push').optional(),
  b64data: base64Bytes('As `data`, for binary data').optional(),
  recover_since: position.optional(),
  override: z
    .object({
      presence: override,
      join_leave: override,
      force_push_join_leave: override,
      force_positioning: override,
      force_recovery: override,
    })
    .optional()
    .meta({ description: 'Channel options that differ for this subscription' }),
});

export const unsubscribeRequest = z.object({
  channel: z.string().default('').meta({ description: 'Empty: every channel' }),
  ...selectorShape,
});

export const disconnectRequest = z.object({
  ...selectorShape,
  whitelist: z
    .array(z.string())
    .optional()
    .meta({ description: 'Ids of connections that stay as they are' }),
  disconnect: z
    .object({
      code: z.int().min(3000).max(4999),
      reason: z
        .string()
        .refine((reason) => Buffer.byteLength(reason) <= 123, 'must fit into 123 bytes of UTF-8')
        .default(''),
    })
    .optional()
    .meta({ description: 'Sent to the client; 3503 "force disconnect" when absent' }),
});

export const refreshRequest = z.object({
  ...selectorShape,
  expired: z.boolean().optional().meta({ description: 'Close the connection as expired' }),
  expire_at: unixSeconds('Unix seconds; 0 or absent: never').optional(),
  info: rawJson('Replaces `conn_info`').optional(),
});

export const emptyResult = z.object({});

/** Data that clients sent; `b64…` stands in where it is no JSON text. */
export const clientInfo = z.object({
  user: z.string(),
  client: z.string(),
  conn_info: z.unknown().optional(),
  b64conn_info: z.base64().optional(),
  chan_info: z.unknown().optional(),
  b64chan_info: z.base64().optional(),
});

export const channelRequest = z.object({ channel });

export const presenceResult = z.object({
  presence: z.record(z.string(), clientInfo).meta({ description: 'By client id' }),
});

export const presenceStatsResult = z.object({ num_clients: z.int(), num_users: z.int() });

export const historyRequest = z.object({
  channel,
  limit: z
    .int()
    .min(-1)
    .default(0)
    .meta({ description: 'Most publications returned; 0: only the position, -1: all' }),
  since: position.optional().meta({ description: 'Exclusive' }),
  reverse: z.boolean().optional().meta({ description: 'Newest first' }),
});

export const historyResult = z.object({
  publications: z.array(
    z.object({
      data: z.unknown().optional(),
      b64data: z.base64().optional().meta({ description: 'Stands for `data` that is no JSON' }),
      info: clientInfo.optional(),
      offset: offset.optional(),
      tags: z.record(z.string(), z.string()).optional(),
    }),
  ),
  offset,
  epoch: z.string(),
});

export const channelsRequest = z.object({
  pattern: z
    .string()
    .optional()
    .meta({ description: 'Glob, `*` stands for anything but `:` and `.`', examples: ['chat:*'] }),
});

export const channelsResult = z.object({
  channels: z.record(z.string(), z.object({ num_clients: z.int() })),
});

export const infoRequest = z.object({});

export const infoResult = z.object({
  nodes: z.array(
    z.object({
      uid: z.string(),
      name: z.string(),
      version: z.string(),
      num_clients: z.int(),
      num_users: z.int(),
      num_subs: z.int(),
      num_channels: z.int(),
      uptime: z.int().meta({ description: 'Seconds' }),
      metrics: z
        .object({ interval: z.number(), items: z.record(z.string(), z.number()) })
        .optional()
        .meta({ description: 'What happened during the last interval, in seconds, by metric' }),
      process: z
        .object({ cpu: z.number(), rss: z.int() })
        .optional()
        .meta({ description: 'CPU time in percent of one core, memory in bytes' }),
    }),
  ),
});

export const rpcRequest = z.object({
  method: z.string().min(1, 'must not be empty'),
  params: rawJson('Handed to the method').optional(),
});

export const rpcResult = z.object({ data: z.unknown().optional() });

/** {@link publicationShape} after parsing, shared by publish and broadcast. */
export type PublicationRequest = Omit<z.output<typeof publishRequest>, 'channel'>;
