import type { DoctorTarget } from './doctor-target.ts';
import type { StreamObservation } from './judge-stream.ts';
import { quietQuery } from './visitor.ts';

interface StreamReply {
  readonly id?: number;
  readonly connect?: { readonly session?: string; readonly node?: string; readonly ping?: number };
}

/** Opens one of the streaming transports, and sends a command beside it. */
export async function probeStream(
  target: DoctorTarget,
  {
    kind,
    token,
    timeoutMs,
  }: { readonly kind: 'sse' | 'http_stream'; readonly token?: string; readonly timeoutMs: number },
): Promise<StreamObservation> {
  const connect = JSON.stringify({ id: 1, connect: { ...(token !== undefined && { token }) } });
  const started = performance.now();
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  const nothing = { answer: undefined, headAfterMs: undefined, firstMessageAfterMs: undefined };
  try {
    const response = await fetch(kind === 'sse' ? target.sse : target.httpStream, {
      // In the body, so that no token gets into the log of a proxy.
      method: 'POST',
      body: connect,
      headers: { 'Content-Type': 'application/json', 'Accept-Encoding': 'identity, gzip' },
      redirect: 'manual',
      signal: stop.signal,
    });
    const headAfterMs = performance.now() - started;
    const answer = {
      status: response.status,
      headers: Object.fromEntries(response.headers),
    };
    const common = { answer, headAfterMs, waitedMs: timeoutMs };
    if (response.status !== 200 || response.body === null) {
      return { ...common, firstMessageAfterMs: undefined, isOpen: false };
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    // Also who is not let in is told so, over the stream.
    const first = await readUntil(reader, () => true);
    const firstMessageAfterMs = first && performance.now() - started;
    const { session, node } = first?.connect ?? {};
    if (session === undefined || node === undefined) {
      // Nothing that came in all the time, rather than nothing of ours.
      const isOpen = first === undefined && stop.signal.aborted;
      return { ...common, firstMessageAfterMs, isOpen };
    }
    const command = await fetch(target.emulation, {
      method: 'POST',
      body: JSON.stringify({ session, node, data: JSON.stringify({ id: 2, rpc: { method: '' } }) }),
      headers: { 'Content-Type': 'application/json' },
      redirect: 'manual',
      signal: stop.signal,
    });
    const reply =
      command.status === 204 ? await readUntil(reader, (one) => one.id === 2) : undefined;
    return {
      ...common,
      firstMessageAfterMs,
      isOpen: true,
      command: { status: command.status, isReplied: reply !== undefined },
    };
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    return { ...nothing, isOpen: true, waitedMs: timeoutMs };
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

/** An SSE connection that asked the server for no pings. */
export interface QuietStream {
  /** Resolves with the time at which it ended. */
  readonly ended: Promise<number>;
  close(): void;
}

/**
 * Opens one of {@link Visitor}'s streams and leaves it alone.
 * @returns undefined when it does not come about, or the server pings all the same.
 */
export async function openQuietStream(
  target: DoctorTarget,
  {
    connect,
    quietSeconds,
    timeoutMs,
  }: { readonly connect: object; readonly quietSeconds: number; readonly timeoutMs: number },
): Promise<QuietStream | undefined> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  try {
    const response = await fetch(target.sse + quietQuery(quietSeconds), {
      method: 'POST',
      body: JSON.stringify({ id: 1, connect }),
      headers: { 'Content-Type': 'application/json' },
      redirect: 'manual',
      signal: stop.signal,
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const first = reader && (await readUntil(reader, ({ id }) => id === 1));
    if (reader === undefined || first?.connect === undefined || first.connect.ping !== undefined) {
      stop.abort();
      return undefined;
    }
    return {
      ended: readUntil(reader, () => false).then(() => performance.now()),
      close: () => stop.abort(),
    };
  } catch {
    // That there is no stream is what the checks of streams are about.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Most of a stream that is looked at. */
const maxCharacters = 65_536;

/**
 * Reads messages, in SSE's framing or one a line, until one fits; undefined when the time is over or
 * none came.
 */
async function readUntil(
  reader: ReadableStreamDefaultReader<string>,
  fits: (reply: StreamReply) => boolean,
): Promise<StreamReply | undefined> {
  let text = '';
  try {
    while (text.length < maxCharacters) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += value;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const json = line.replace(/^data: /, '').trim();
        if (!json.startsWith('{')) continue;
        const reply = JSON.parse(json) as StreamReply;
        if (fits(reply)) return reply;
      }
    }
  } catch {
    // The time was over, or the stream was cut, or it is no stream of ours: nothing fits.
  }
  return undefined;
}
