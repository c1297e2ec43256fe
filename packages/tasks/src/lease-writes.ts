import type { OutputChunk } from '@holdfast/protocol/tasks';
import type { Lease } from './claim.ts';
import { TaskError } from './errors.ts';
import { advance, stepDeadline, type ProgressUpdate } from './progress.ts';
import { toJson } from './task-json.ts';
import type { TaskRow } from './task-module.ts';
import type { TaskUnit } from './task-unit.ts';
import { effectiveStatus, stepsOf } from './task-view.ts';
import { release, retryOrFail, settle } from './transitions.ts';

/** What a worker is told with every write. */
export interface LeaseState {
  readonly expiresAt: number;
  /** Somebody wants the task to stop: the worker should end soon, its lease ends anyway. */
  readonly isCancelRequested: boolean;
}

/** What a worker adds to the output of its task. */
export interface OutputPart {
  /** What it is. @defaultValue 'log' */
  readonly type?: string;
  readonly data: string;
}

/** Why an attempt did not succeed, and whether another one may. */
export interface Failure {
  /** For people; kept with the task, cut to 4000 characters. */
  readonly message: string;
  /** Short code. @defaultValue 'error' */
  readonly reason?: string;
  /** Whether another attempt can help. @defaultValue true */
  readonly isRetryable?: boolean;
  /** Pause before the next attempt. @defaultValue the backoff of the kind */
  readonly retryAfterMs?: number;
}

/** An event of one chunk stays well below the limit of the outbox, however JSON writes it. */
const maxChunkBytes = 32_768;
const eventBytes = 49_152;
const maxTypeLength = 50;

/** Whether an attempt may still write. An expired lease is over, even if nobody has noticed yet. */
export function holdsLease(unit: TaskUnit, row: TaskRow, token: number): boolean {
  return row.state === 'running' && row.token === token && (row.expires_at ?? 0) > unit.now;
}

/**
 * The row, when the lease is still good.
 * @throws {@link TaskError} `task_fenced` saying what became of the task, `task_not_found`
 */
async function loadLeased(unit: TaskUnit, lease: Lease): Promise<TaskRow> {
  const row = await unit.load(lease.id);
  if (holdsLease(unit, row, lease.token)) return row;
  unit.context.metrics.fenced += 1;
  const { status } = effectiveStatus(row, { ...unit.context, now: unit.now });
  throw new TaskError(
    'task_fenced',
    `task ${row.id} is ${status}, and the lease with token ${lease.token} is over`,
  );
}

/** Every write of a worker is a sign of life. */
function extend(unit: TaskUnit, row: TaskRow): LeaseState {
  const { leaseMs } = unit.context.kind(row.kind);
  row.beat_at = unit.now;
  row.expires_at = Math.min(
    unit.now + leaseMs,
    row.deadline_at ?? Infinity,
    stepDeadline(stepsOf(row)) ?? Infinity,
  );
  return { expiresAt: row.expires_at, isCancelRequested: row.cancel_at !== null };
}

export async function heartbeat(unit: TaskUnit, lease: Lease): Promise<LeaseState> {
  const row = await loadLeased(unit, lease);
  const state = extend(unit, row);
  unit.touch(row, 'alive');
  return state;
}

/** @throws {@link TaskError} `task_bad_progress`, `task_fenced` */
export async function reportProgress(
  unit: TaskUnit,
  lease: Lease,
  update: ProgressUpdate,
): Promise<LeaseState> {
  const row = await loadLeased(unit, lease);
  const steps = stepsOf(row);
  const next = advance({ steps, progress: row.progress, message: row.message }, update, unit.now);
  row.steps = next.steps === null ? null : JSON.stringify(next.steps);
  row.progress = next.progress;
  row.message = next.message;
  const state = extend(unit, row);
  unit.touch(row, 'progress');
  return state;
}

/** What a worker is told when it has written output. */
export interface OutputState extends LeaseState {
  /** Number of the last chunk in the stream. */
  readonly seq: number;
  /** Chunks of this write that were refused because the stream is full. */
  readonly refused: number;
}

/**
 * Appends to the output. The stream is bounded: what does not fit is refused, counted, and told to
 * the worker and to readers; what is in it stays.
 * @throws {@link TaskError} `task_too_large` for a single chunk, `task_fenced`
 */
export async function appendOutput(
  unit: TaskUnit,
  lease: Lease,
  parts: readonly OutputPart[],
): Promise<OutputState> {
  for (const part of parts) assertChunk(part);
  const row = await loadLeased(unit, lease);
  const { maxOutputBytes } = unit.context.kind(row.kind);
  const chunks: OutputChunk[] = [];
  let refused = 0;
  for (const { type = 'log', data } of parts) {
    const bytes = Buffer.byteLength(data);
    // Once something was refused nothing follows, so that the stream has an end but no holes.
    if (row.output_refused > 0 || row.output_bytes + bytes > maxOutputBytes) {
      refused += 1;
      row.output_refused += 1;
      continue;
    }
    row.output_seq += 1;
    row.output_bytes += bytes;
    chunks.push({ seq: row.output_seq, attempt: row.attempt, type, data, at: unit.now });
  }
  unit.context.metrics.outputRefused += refused;
  if (chunks.length > 0) {
    unit.addOutput(row, groupsOf(chunks));
  }
  const state = extend(unit, row);
  // The first refusal is told to watchers; chunks are events of their own.
  if (refused > 0 && row.output_refused === refused) unit.touch(row, 'progress');
  return { ...state, seq: row.output_seq, refused };
}

function assertChunk({ type = 'log', data }: OutputPart): void {
  if (typeof data !== 'string' || data.includes('\0')) {
    throw new TaskError('task_bad_request', 'output is text without NUL; encode bytes as base64');
  }
  if (typeof type !== 'string' || type === '' || type.length > maxTypeLength) {
    throw new TaskError(
      'task_bad_request',
      `the type of output has 1 to ${maxTypeLength} characters`,
    );
  }
  const bytes = Math.max(Buffer.byteLength(data), Math.ceil(jsonBytes(data) * 0.7));
  if (bytes > maxChunkBytes) {
    throw new TaskError(
      'task_too_large',
      `a chunk of output has ${bytes} of ${maxChunkBytes} bytes`,
    );
  }
}

function jsonBytes(data: string): number {
  return Buffer.byteLength(JSON.stringify(data));
}

function groupsOf(chunks: readonly OutputChunk[]): readonly (readonly OutputChunk[])[] {
  const groups: OutputChunk[][] = [];
  let bytes = Infinity;
  for (const chunk of chunks) {
    const size = jsonBytes(chunk.data) + 200;
    if (bytes + size > eventBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(chunk);
    bytes += size;
  }
  return groups;
}

/**
 * Keeps what the next attempt needs to go on where this one is; the last one wins.
 * @throws {@link TaskError} `task_too_large`, `task_fenced`
 */
export async function saveCheckpoint(
  unit: TaskUnit,
  lease: Lease,
  value: unknown,
): Promise<LeaseState> {
  const row = await loadLeased(unit, lease);
  const { maxCheckpointBytes } = unit.context.kind(row.kind);
  const limit = { what: `checkpoint of ${row.kind}`, maxBytes: maxCheckpointBytes };
  row.checkpoint = value === null ? null : toJson(value, limit);
  const state = extend(unit, row);
  unit.touch(row, 'alive');
  return state;
}

/** Ends an attempt with success. */
export async function complete(unit: TaskUnit, lease: Lease, result: unknown): Promise<void> {
  const row = await loadLeased(unit, lease);
  const { maxResultBytes } = unit.context.kind(row.kind);
  const json = toJson(result ?? null, { what: `result of ${row.kind}`, maxBytes: maxResultBytes });
  await settle(unit, row, { state: 'completed', result: json });
}

/** Ends an attempt without success; the task is retried when that can help and attempts are left. */
export async function fail(unit: TaskUnit, lease: Lease, failure: Failure): Promise<void> {
  const { message, reason = 'error', isRetryable = true, retryAfterMs } = failure;
  const row = await loadLeased(unit, lease);
  const error = message.replaceAll('\0', '\u{fffd}');
  if (!isRetryable && row.cancel_at === null) {
    await settle(unit, row, { state: 'failed', reason, error });
    return;
  }
  await retryOrFail(unit, row, {
    reason,
    error,
    ...(retryAfterMs === undefined ? {} : { delayMs: Math.max(0, Math.floor(retryAfterMs)) }),
  });
}

/** Ends an attempt because it was asked to, or gives it back when it was not. */
export async function stop(unit: TaskUnit, lease: Lease): Promise<void> {
  const row = await loadLeased(unit, lease);
  if (row.cancel_at === null) release(unit, row);
  else await settle(unit, row, { state: 'cancelled', reason: 'cancelled' });
}
