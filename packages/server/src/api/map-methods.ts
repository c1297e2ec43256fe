import type { MapChangeResult, MapPublication, Position } from '@holdfast/hub';
import { compact, bytesJson, clientInfoJson, payloadOf } from './api-json.ts';
import { type ApiMethod, define } from './api-method.ts';
import * as schemas from './map-schemas.ts';
import type { JsonWithRaw } from './raw-json.ts';
import { channelRequest, emptyResult } from './schemas.ts';

/** The methods of channels that keep state by key, and of shared polls. */
export const mapMethods = {
  map_publish: define({
    summary: 'Write a key of a map channel',
    request: schemas.mapPublishRequest,
    result: schemas.mapChangeResult,
    async run({ hub }, { channel, key, ...request }) {
      const expectedPosition = schemas.positionOf(request.expected_offset, request.expected_epoch);
      const result = await hub.publishMap(channel, {
        key,
        data: payloadOf(request),
        ...compact({
          tags: request.tags,
          score: request.score,
          idempotencyKey: request.idempotency_key || undefined,
          delta: request.delta,
          version: request.version,
          versionEpoch: request.version_epoch || undefined,
          keyMode: request.key_mode || undefined,
          excludeClient: request.exclude_client || undefined,
          expectedPosition,
        }),
      });
      return changeJson(result);
    },
  }),
  map_remove: define({
    summary: 'Remove a key of a map channel',
    request: schemas.mapRemoveRequest,
    result: schemas.mapChangeResult,
    async run({ hub }, { channel, key, ...request }) {
      const expectedPosition = schemas.positionOf(request.expected_offset, request.expected_epoch);
      const idempotencyKey = request.idempotency_key || undefined;
      const options = compact({ idempotencyKey, expectedPosition });
      return changeJson(await hub.removeMapKey(channel, key, options));
    },
  }),
  map_read_state: define({
    summary: 'The keys of a map channel, page by page',
    request: schemas.mapReadStateRequest,
    result: schemas.mapReadStateResult,
    async run({ hub }, { channel, cursor, limit, key, asc, ...request }) {
      const until = schemas.positionOf(request.revision_offset, request.revision_epoch);
      const page = await hub.readMapState(
        channel,
        compact({ cursor: cursor || undefined, limit, key: key || undefined, asc, until }),
      );
      return {
        entries: page.entries.map(entryJson),
        ...positionJson(page.position),
        cursor: page.cursor,
      };
    },
  }),
  map_read_stream: define({
    summary: 'Changes of a map channel',
    request: schemas.mapReadStreamRequest,
    result: schemas.mapReadStreamResult,
    async run({ hub }, { channel, limit, reverse, ...request }) {
      const since = schemas.positionOf(request.since_offset, request.since_epoch);
      const page = await hub.readMapStream(channel, compact({ limit, reverse, since }));
      return { entries: page.publications.map(entryJson), ...positionJson(page.position) };
    },
  }),
  map_stats: define({
    summary: 'How many keys a map channel has',
    request: channelRequest,
    result: schemas.mapStatsResult,
    async run({ hub }, { channel }) {
      const { keys } = await hub.mapStats(channel);
      return { num_keys: keys };
    },
  }),
  map_clear: define({
    summary: 'Drop all keys and changes of a map channel',
    request: channelRequest,
    result: emptyResult,
    async run({ hub }, { channel }) {
      await hub.clearMap(channel);
      return {};
    },
  }),
  shared_poll_publish: define({
    summary: 'Tell subscribers of a shared poll about a new version without waiting for the poll',
    request: schemas.sharedPollPublishRequest,
    result: emptyResult,
    async run({ hub }, { channel, key, version, ...request }) {
      await hub.publishSharedPoll(channel, { key, version, data: payloadOf(request) });
      return {};
    },
  }),
} as const satisfies Record<string, ApiMethod>;

function changeJson({ position, suppressed }: MapChangeResult): JsonWithRaw {
  return {
    ...positionJson(position),
    ...(suppressed === undefined ? {} : { suppressed: true, suppress_reason: suppressed }),
  };
}

function positionJson(position: Position | undefined): Record<string, JsonWithRaw> {
  return position === undefined ? {} : { offset: position.offset, epoch: position.epoch };
}

function entryJson({
  key,
  data,
  info,
  tags,
  offset,
  score,
  removed,
  time,
}: MapPublication): JsonWithRaw {
  return {
    key,
    ...bytesJson('data', data),
    info: info && clientInfoJson(info),
    tags: tags && new Map(Object.entries(tags)),
    offset,
    score,
    removed,
    time,
  };
}
