import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HttpRefusal, refuse } from './http-refusal.ts';
import type { Session } from '../session.ts';

const before = Buffer.from('data: ');
const after = Buffer.from('\n\n');

/** Event ids longer than this are left out: they come back in a request header. */
const maxEventIdBytes = 4_096;

/** Each message as one event. Messages are single lines of JSON. */
export function frameEvents(messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(messages.flatMap((message) => [before, message, after]));
}

/** Each message is an event in all its lines. */
export function frameWholeEvents(messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(messages.flatMap((message) => [message, after]));
}

/**
 * As {@link frameEvents}, and the last event of the batch carries the positions of all recoverable
 * subscriptions as its id, which an `EventSource` sends back as `Last-Event-ID` when it reconnects.
 */
export function frameResumableEvents(
  messages: readonly Uint8Array[],
  session: Session,
): Uint8Array {
  const events = messages.flatMap((message) => [before, message, after]);
  const id = eventId(session);
  if (id !== undefined) events.splice(-3, 0, Buffer.from(`id: ${id}\n`));
  return Buffer.concat(events);
}

type Positions = Readonly<Record<string, readonly [offset: number, epoch: string]>>;

function eventId(session: Session): string | undefined {
  const positions: [string, [number, string]][] = [];
  for (const { channel, isRecoverable, state, offset, epoch } of session.subscriptions.values()) {
    if (isRecoverable && state === 'live') positions.push([channel, [offset, epoch]]);
  }
  if (positions.length === 0) return undefined;
  const id = Buffer.from(JSON.stringify(Object.fromEntries(positions))).toString('base64url');
  return id.length > maxEventIdBytes ? undefined : id;
}

/**
 * Adds the positions of a `Last-Event-ID` to a connect request. The channels it names are asked for
 * again; the connect push then says for each whether it was recovered.
 */
export function resumeFrom(request: IncomingMessage, connect: Buffer): Buffer {
  const positions = parseEventId(request.headers['last-event-id']);
  if (positions === undefined) return connect;
  const parsed: unknown = parseJson(connect.length === 0 ? '{}' : connect.toString());
  // Left for the session to refuse, with the code that this deserves.
  if (typeof parsed !== 'object' || parsed === null) return connect;
  const asked = 'subs' in parsed && typeof parsed.subs === 'object' ? parsed.subs : {};
  const subs = new Map<string, object>(Object.entries(asked ?? {}));
  for (const [channel, [offset, epoch]] of Object.entries(positions)) {
    subs.set(channel, { ...subs.get(channel), recover: true, offset, epoch });
  }
  return Buffer.from(JSON.stringify({ ...parsed, subs: Object.fromEntries(subs) }));
}

function parseEventId(id: string | string[] | undefined): Positions | undefined {
  if (typeof id !== 'string' || id === '' || id.length > maxEventIdBytes) return undefined;
  const parsed = parseJson(Buffer.from(id, 'base64url').toString());
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const isValid = Object.values(parsed).every(
    (row: unknown) =>
      Array.isArray(row) &&
      Number.isSafeInteger(row[0]) &&
      row[0] >= 0 &&
      typeof row[1] === 'string',
  );
  return isValid ? (parsed as Positions) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether the request is one of an `EventSource`, or of somebody who wants what one gets. */
export function isEventSource({ method, headers: { accept = '' } }: IncomingMessage): boolean {
  return method === 'GET' && accept.includes('text/event-stream');
}

/**
 * Refuses an `EventSource`. It gives up for good on any status but 200, and looks at no `Retry-After`:
 * where the refusal is for a while it gets a stream that says when to come back, and ends.
 */
export function refuseEventSource(response: ServerResponse, refusal: HttpRefusal): void {
  const retryAfter = refusal.headers?.['Retry-After'];
  if (retryAfter === undefined) {
    refuse(response, refusal);
    return;
  }
  const body = `: ${refusal.message}\nretry: ${Number(retryAfter) * 1_000}\n\n`;
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'Retry-After': retryAfter,
  });
  response.end(body);
}
