import { severities } from '@holdfast/protocol/inbox';
import { errorBody } from '@holdfast/http';
import { z } from 'zod';
import { maxChangeIds } from '../changes.ts';

/** Shapes of the HTTP interface. What the values mean is checked by the inbox itself. */

/** Longer lists come as a stream. */
const maxListedUsers = 10_000;

const time = z.int().describe('Unix milliseconds');
const id = z.string().max(255);
const ids = z.array(id).min(1).max(maxChangeIds);
const target = z.enum(['webhook', 'email']);
const quietHours = z.strictObject({ from: z.string(), to: z.string(), timeZone: z.string() });
const unread = z.object({
  total: z.int(),
  byCategory: z.record(z.string(), z.int()),
});

const notification = z.object({
  id,
  category: z.string(),
  severity: z.enum(severities),
  title: z.string().describe('Plain text: escape it where you show it'),
  body: z.string(),
  link: z.string().nullable(),
  source: z.string().nullable(),
  data: z.unknown(),
  groupKey: z.string().nullable(),
  groupCount: z.int(),
  createdAt: time,
  expiresAt: time.nullable(),
  readAt: time.nullable(),
  archivedAt: time.nullable(),
});

const content = {
  category: z.string(),
  title: z.string(),
  body: z.string().optional(),
  link: z.string().optional(),
  severity: z.enum(severities).optional(),
  source: z.string().optional(),
  data: z.unknown().optional(),
  groupKey: z.string().optional(),
  expiresAt: time.optional(),
  sendAt: time.optional(),
  idempotencyKey: z.string().optional(),
};

const recipients = z.union(
  [
    z.strictObject({ user: z.string() }),
    z.strictObject({ users: z.array(z.string()).max(maxListedUsers) }),
    z.strictObject({ topic: z.string() }),
  ],
  {
    error: `must be {"user": "42"}, {"users": ["42", "43"]} with up to ${maxListedUsers} (more are streamed), or {"topic": "news"}; ids are text`,
  },
);

export const sendRequest = z.strictObject({ to: recipients, ...content });
/** The first line of a streamed send; a user id on each line follows. */
export const streamedSendRequest = z.strictObject(content);
export const batchRequest = z.strictObject({ sends: z.array(sendRequest).min(1).max(100) });
export const cancelRequest = z.strictObject({ recall: z.boolean().optional() });

export const sendStatus = z.object({
  id,
  state: z.enum(['collecting', 'scheduled', 'running', 'done', 'cancelled']),
  topic: z.string().nullable(),
  sendAt: time,
  recipients: z.int(),
  created: z.int(),
  muted: z.int(),
  createdAt: time,
  finishedAt: time.nullable(),
  recalled: z.int(),
  recalledAt: time.nullable(),
});
export const sendResult = sendStatus.extend({ repeated: z.boolean() });

export const batchResult = z.object({
  results: z.array(z.union([sendResult, errorBody])),
});

export const deliveryState = z.object({
  notificationId: id,
  user: z.string(),
  storedAt: time,
  readAt: time.nullable(),
  acknowledgedAt: time.nullable(),
  devices: z.array(
    z.object({ device: z.string(), pushedAt: time, acknowledgedAt: time.nullable() }),
  ),
  escalations: z.array(
    z.object({
      target,
      state: z.enum(['pending', 'delivered', 'dead', 'obsolete']),
      attempts: z.int(),
      nextAttemptAt: time.nullable(),
      lastError: z.string().nullable(),
    }),
  ),
});

export const deadLettersQuery = z.strictObject({
  limit: z.coerce.number().optional(),
  cursor: z.string().optional(),
  target: target.optional(),
});
export const deadLetters = z.object({
  items: z.array(
    z.object({
      id: id.describe('The webhook-id of its attempts'),
      notificationId: id,
      user: z.string(),
      target,
      attempts: z.int(),
      lastError: z.string().nullable(),
      createdAt: time,
      givenUpAt: time,
    }),
  ),
  nextCursor: z.string().nullable(),
});
export const retryRequest = z.strictObject({
  ids: ids.optional(),
  target: target.optional(),
  cursor: z.string().optional().describe('nextCursor of the answer before'),
});
export const retryResult = z.object({
  retried: z.array(id),
  skipped: z.array(
    z.object({
      id,
      reason: z.enum([
        'read',
        'archived',
        'expired',
        'gone',
        'unwanted',
        'not_configured',
        'not_dead',
      ]),
    }),
  ),
  notFound: z.array(id),
  nextCursor: z.string().nullable(),
});

export const listQuery = z.strictObject({
  limit: z.coerce.number().optional(),
  cursor: z.string().optional(),
  status: z.enum(['all', 'unread', 'read', 'archived']).optional(),
  category: z.string().optional(),
  severity: z.enum(severities).optional(),
});
export const page = z.object({
  items: z.array(notification),
  nextCursor: z.string().nullable(),
});
export const counts = unread;

export const preferences = z.strictObject({
  categories: z.record(
    z.string(),
    z.strictObject({
      inApp: z.boolean().optional(),
      webhook: z.boolean().optional(),
      email: z.boolean().optional(),
      mutedUntil: time.optional(),
    }),
  ),
  quietHours: quietHours.nullable(),
});
/** What is left out stays, what is null follows the next rule again. */
export const preferencesChange = z.strictObject({
  categories: z
    .record(
      z.string(),
      z
        .strictObject({
          inApp: z.boolean().nullish(),
          webhook: z.boolean().nullish(),
          email: z.boolean().nullish(),
          mutedUntil: time.nullish(),
        })
        .nullable(),
    )
    .optional(),
  quietHours: quietHours.nullish(),
});
export const settingResult = z.object({ version: z.int() });
export const preferencesResult = settingResult.extend({ preferences });

export const topics = z.object({ topics: z.array(z.string()) });
export const topicInfo = z.object({ topic: z.string(), subscribers: z.int() });

export const snapshotQuery = listQuery.extend({
  settings: z.enum(['true', 'false']).optional().describe('Also what the user has set'),
});
export const snapshot = page.extend({
  unread,
  version: z.int(),
  channel: z.string(),
  position: z.object({ offset: z.int(), epoch: z.string() }),
  now: time,
  settings: topics
    .extend({
      preferences,
      defaults: z.record(
        z.string(),
        z.object({ inApp: z.boolean(), webhook: z.boolean(), email: z.boolean() }),
      ),
      targets: z.array(target),
    })
    .optional(),
});

export const idsRequest = z.strictObject({ ids });
export const readAllRequest = z.strictObject({
  upTo: id.optional(),
  category: z.string().optional(),
});
export const readAllResult = z.object({ changed: z.array(id), unread, version: z.int() });
export const changeResult = readAllResult.extend({ notFound: z.array(id) });

export const connectRequest = z.strictObject({ device: id });
export const connectResult = z.object({ notifications: z.array(notification), unread });
export const acknowledgeRequest = z.strictObject({ device: id, ids });
export const acknowledgeResult = z.object({ acknowledged: z.array(id), notFound: z.array(id) });
