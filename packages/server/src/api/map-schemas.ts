import { z } from 'zod';
import { channel, clientInfo, offset, type position, publicationShape } from './schemas.ts';

const key = z.string().min(1, 'must not be empty').meta({ description: 'Key within the channel' });

const expectedShape = {
  expected_offset: offset
    .optional()
    .meta({ description: 'Change only what still has this offset; needs `expected_epoch`' }),
  expected_epoch: z.string().optional(),
};

const { skip_history: _streamsOnly, ...mapPublicationShape } = publicationShape;

export const mapPublishRequest = z.object({
  channel,
  key,
  ...mapPublicationShape,
  ...expectedShape,
  score: z.int().optional().meta({ description: 'Entries with a higher score come first' }),
  key_mode: z
    .enum(['', 'if_new', 'if_exists'])
    .optional()
    .meta({ description: 'Write only a key that is not there, or only one that is' }),
});

export const mapRemoveRequest = z.object({
  channel,
  key,
  ...expectedShape,
  idempotency_key: z.string().optional(),
});

export const mapChangeResult = z.object({
  offset: offset.optional().meta({ description: 'Present when the channel has a stream' }),
  epoch: z.string().optional(),
  suppressed: z.boolean().optional(),
  suppress_reason: z
    .enum(['idempotency', 'version', 'key_exists', 'key_not_found', 'position_mismatch'])
    .optional(),
});

const mapEntry = z.object({
  key: z.string(),
  data: z.unknown().optional(),
  b64data: z.base64().optional().meta({ description: 'Stands for `data` that is no JSON' }),
  info: clientInfo.optional(),
  tags: z.record(z.string(), z.string()).optional(),
  offset: offset.optional(),
  score: z.int().optional(),
  removed: z.boolean().optional(),
  time: z.int().optional().meta({ description: 'Unix milliseconds' }),
});

const limit = z
  .int()
  .min(-1)
  .meta({ description: 'Most entries returned; 0: only the position, -1: all' });

export const mapReadStateRequest = z.object({
  channel,
  cursor: z.string().optional().meta({ description: 'Where the page before ended' }),
  limit: limit.optional(),
  key: z.string().optional().meta({ description: 'Only this key' }),
  asc: z.boolean().optional().meta({ description: 'Lowest score first' }),
  revision_offset: offset
    .optional()
    .meta({ description: 'Position of the first page, repeated for those after it' }),
  revision_epoch: z.string().optional(),
});

export const mapReadStateResult = z.object({
  entries: z.array(mapEntry),
  offset: offset.optional(),
  epoch: z.string().optional(),
  cursor: z.string().meta({ description: 'For the next page; empty when this is the last' }),
});

export const mapReadStreamRequest = z.object({
  channel,
  since_offset: offset.optional().meta({ description: 'Exclusive' }),
  since_epoch: z.string().optional(),
  limit: limit.default(0),
  reverse: z.boolean().optional(),
});

export const mapReadStreamResult = z.object({
  entries: z.array(mapEntry),
  offset: offset.optional(),
  epoch: z.string().optional(),
});

export const mapStatsResult = z.object({ num_keys: z.int() });

export const sharedPollPublishRequest = z.object({
  channel,
  key,
  data: publicationShape.data,
  b64data: publicationShape.b64data,
  version: z.int().min(1),
  epoch: z
    .string()
    .optional()
    .meta({ description: 'Not used: nodes know the epoch of the backend' }),
});

/** The position that a request's pair of members names. */
export function positionOf(
  atOffset: number | undefined,
  epoch = '',
): z.output<typeof position> | undefined {
  return atOffset === undefined ? undefined : { offset: atOffset, epoch };
}
