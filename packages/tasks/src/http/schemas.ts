import { z } from 'zod';

/** Shapes of the HTTP interface. What the values mean is checked by tasks themselves. */

const time = z.int().describe('Unix milliseconds');
const count = z.int();
const id = z.string();
const position = z.object({ offset: z.int(), epoch: z.string() });
/** Where to go on from a snapshot. */
const continued = {
  channel: z.string().nullable().describe('Null for none: read again instead'),
  position: position.nullable().describe('Events after it continue what is answered here'),
};

const step = z.object({
  name: z.string(),
  weight: z.number(),
  maxMs: z.number().nullable(),
  state: z.enum(['pending', 'current', 'completed']),
  startedAt: time.nullable(),
  endedAt: time.nullable(),
});

const taskView = z.object({
  id,
  kind: z.string(),
  owner: z.string(),
  status: z.enum([
    'queued',
    'pending',
    'retrying',
    'waiting_for_worker',
    'running',
    'cancelling',
    'waiting_for_children',
    'lost',
    'completed',
    'partial',
    'failed',
    'cancelled',
  ]),
  isOver: z.boolean(),
  reason: z.string().nullable(),
  since: time,
  attempt: count,
  maxAttempts: count,
  progress: z.number().describe('0 to 1'),
  message: z.string().nullable(),
  steps: z.array(step).nullable(),
  remainingMs: z.number().nullable(),
  error: z.string().nullable(),
  children: z.object({ total: count, open: count, failed: count, partial: count }),
  output: z.object({ seq: count, bytes: count, refused: count }),
  isCancelRequested: z.boolean(),
  createdAt: time,
  availableAt: time,
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  schedule: z.string().nullable(),
  source: z.string().nullable().describe('Queue of others whose job this is'),
  version: count.describe('Grows with every event of this task'),
  now: time.describe("The server's time"),
  expiresAt: time
    .nullable()
    .describe('After it this says nothing any more: show no spinner, read again'),
});

export const task = taskView.extend({
  payload: z.unknown(),
  result: z.unknown(),
  checkpoint: z.unknown().describe('What the next attempt would go on from'),
  history: z.array(
    z.object({
      attempt: count,
      startedAt: time,
      endedAt: time,
      reason: z.string(),
      error: z.string().nullable(),
      worker: z.string().nullable(),
    }),
  ),
  parentIds: z.array(id),
  childIds: z.array(id),
});

export const taskSnapshot = z.object({ task, ...continued });

const content = {
  kind: z.string(),
  payload: z.unknown().optional(),
  key: z.string().optional().describe('Requests of one kind and key share work'),
  idempotencyKey: z.string().optional(),
  force: z.boolean().optional().describe('Start now, whatever has the key'),
};
/** What users may say. */
export const userRequest = z.strictObject(content);
export const request = z.strictObject({
  ...content,
  owner: z.string().optional(),
  lane: z.string().optional(),
  delayMs: z.number().optional(),
  parent: z.strictObject({ id }).optional(),
  attempts: z.int().optional(),
});
export const batch = z.strictObject({
  requests: z
    .array(request.omit({ parent: true }))
    .min(1)
    .max(1000),
  owner: z.string().optional(),
  idempotencyKey: z.string().optional(),
});
export const answer = z.object({
  id,
  outcome: z
    .enum(['started', 'queued', 'joined'])
    .describe('A new task, one that follows the running one of its key, or one that waits already'),
  task: taskView,
});
export const batchAnswer = z.object({ id, children: z.array(answer) });

const limit = z.coerce.number().int().min(1).max(200).optional();
const list = {
  kind: z.string().optional(),
  phase: z.enum(['live', 'over']).optional(),
  cursor: z.string().optional().describe('`nextCursor` of the page before'),
  limit,
};
export const userListQuery = z.strictObject(list);
export const listQuery = z.strictObject({
  ...list,
  owner: z.string().optional(),
  schedule: z.string().optional(),
  parent: z.string().optional(),
});
export const page = z.object({
  items: z.array(taskView),
  nextCursor: z.string().nullable(),
  now: time,
});
export const userPage = page.extend(continued);

export const outputQuery = z.strictObject({
  after: z.coerce.number().int().min(0).optional().describe('Number of the last chunk you have'),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  follow: z
    .enum(['true', 'false'])
    .optional()
    .describe('As text/event-stream, until the task is over'),
});
export const outputPage = z.object({
  chunks: z.array(
    z.object({ seq: count, attempt: count, type: z.string(), data: z.string(), at: time }),
  ),
  seq: count.describe('Number of the last chunk there is'),
  refused: count.describe('Chunks that did not fit'),
  isOver: z.boolean().describe('No more can come'),
  ...continued,
});

export const kinds = z.object({
  kinds: z.array(
    z.object({
      kind: z.string(),
      isOpenToUsers: z.boolean(),
      workers: count.describe('That are alive'),
      noWorkerSince: time
        .nullable()
        .describe('Null while one is alive, or when there never was one'),
      pending: count,
      pendingSince: time.nullable(),
      running: count,
    }),
  ),
  problems: z.array(z.string()).describe('What keeps tasks from being worked on'),
  now: time,
});
export const workers = z.object({
  workers: z.array(
    z.object({
      id: z.string(),
      kind: z.string(),
      name: z.string(),
      concurrency: count,
      seenAt: time,
      isAlive: z.boolean(),
    }),
  ),
});

const rule = {
  kind: z.string(),
  payload: z.unknown(),
  cron: z.string(),
  everyMs: z.number(),
  timeZone: z.string(),
  jitterMs: z.number(),
  overlap: z.enum(['skip', 'queue', 'allow']),
  missed: z.enum(['once', 'skip']),
  graceMs: z.number(),
  enabled: z.boolean(),
};
/** `enabled` is what the program says; people pause and resume. */
export const scheduleEdit = z.strictObject(rule).omit({ enabled: true }).partial();
export const schedule = z.object({
  name: z.string(),
  rule: z.object(rule).partial().required({ kind: true }),
  edited: z.array(z.string()).describe('Fields that people changed'),
  isPaused: z.boolean(),
  nextAt: time.nullable(),
  lastAt: time.nullable(),
});
export const schedules = z.object({ schedules: z.array(schedule), now: time });
export const runsQuery = z.strictObject({ cursor: z.string().optional(), limit });
export const run = z.object({
  id,
  scheduledFor: time,
  trigger: z.enum(['tick', 'manual']),
  outcome: z.enum(['requested', 'skipped', 'missed', 'refused']),
  reason: z.string().nullable(),
  task: taskView.nullable(),
  durationMs: z.number().nullable(),
});
export const runs = z.object({ runs: z.array(run), nextCursor: z.string().nullable() });

export const doctorQuery = z.strictObject({ limit: z.coerce.number().int().min(1).optional() });
export const healRequest = z.strictObject({
  actor: z.string().max(200).optional().describe('Who does it, for the audit record'),
  limit: z.int().min(1).optional(),
});
export const findings = z.object({
  findings: z.array(
    z.object({
      subject: z.string(),
      problem: z.string(),
      action: z.string(),
      isHealed: z.boolean(),
    }),
  ),
});
export const auditQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});
export const audit = z.object({
  records: z.array(
    z.object({
      id,
      at: time,
      actor: z.string(),
      subject: z.string(),
      problem: z.string(),
      action: z.string(),
      before: z.string().describe('The row before, as JSON'),
    }),
  ),
});
export const nothing = z.object({});
