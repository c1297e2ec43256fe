import type { HistoryPage, PublishOptions, SubscribeOptions } from '@holdfast/hub';
import {
  ReplyError,
  replyErrors,
  type Bytes,
  type ClientInfo,
  type Publication,
} from '@holdfast/protocol';
import type { z } from 'zod';
import { decodeUtf8, isJson, jsonBytes, type JsonWithRaw } from './raw-json.ts';
import type * as schemas from './schemas.ts';

/** An error as the API writes it. */
export function errorJson(error: ReplyError): {
  readonly code: number;
  readonly message: string;
  readonly temporary?: true;
} {
  const { code, message, temporary } = error;
  return temporary ? { code, message, temporary } : { code, message };
}

export function payloadOf({ data, b64data }: schemas.PublicationRequest): Bytes {
  const payload = b64data ?? data;
  if (!payload) {
    throw new ReplyError(replyErrors.badRequest.code, 'bad request: data or b64data is required');
  }
  return payload;
}

export function publishOptions(request: schemas.PublicationRequest): PublishOptions {
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

export function subscribeOptions(
  request: z.output<typeof schemas.subscribeRequest>,
): SubscribeOptions {
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

export function selectorOf(request: {
  readonly user: string;
  readonly client?: string | undefined;
  readonly session?: string | undefined;
}): { readonly user: string; readonly client?: string; readonly session?: string } {
  const { user, client, session } = request;
  return { user, ...(client && { client }), ...(session && { session }) };
}

type Compact<Value> = { [Name in keyof Value]?: Exclude<Value[Name], undefined> };

/** Leaves out the members that are undefined, which is what optional members of the hub expect. */
export function compact<Value extends object>(value: Value): Compact<Value> {
  const present = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(present) as Compact<Value>;
}

export function historyJson({ publications, position }: HistoryPage): JsonWithRaw {
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

export function clientInfoJson(info: ClientInfo): JsonWithRaw {
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
export function bytesJson(name: string, bytes: Bytes | undefined): Record<string, JsonWithRaw> {
  if (!bytes || bytes.length === 0) return {};
  const text = decodeUtf8(bytes);
  return text !== undefined && isJson(text)
    ? { [name]: jsonBytes(text) }
    : { [`b64${name}`]: Buffer.from(bytes).toString('base64') };
}
