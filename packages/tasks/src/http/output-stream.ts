import { delay } from '@holdfast/store';
import { TaskError } from '../errors.ts';
import type { Tasks } from '../tasks.ts';

export interface OutputFollowersOptions {
  /** Streams at the same time. @defaultValue 200 */
  readonly maxStreams?: number;
  /** How often new output is looked for. @defaultValue 500 */
  readonly pollMs?: number;
}

const pageChunks = 200;
/** Proxies cut what is silent for long. */
const keepAliveMs = 15_000;

/**
 * Output as server-sent events: one `message` per chunk with its number as `id`, so that an
 * `EventSource` goes on where it was; then `end` once the task is over. Without an `end` the reader was
 * let go, as when the server stops, and comes back. A reader that does not keep
 * up is waited for, and holds one page.
 */
export class OutputFollowers {
  readonly #tasks: Tasks;
  readonly #maxStreams: number;
  readonly #pollMs: number;
  #streams = 0;

  constructor(tasks: Tasks, { maxStreams = 200, pollMs = 500 }: OutputFollowersOptions = {}) {
    this.#tasks = tasks;
    this.#maxStreams = maxStreams;
    this.#pollMs = pollMs;
  }

  /** @throws {@link TaskError} `task_too_many` */
  follow(id: string, { after, signal }: { after: number; signal: AbortSignal }): Response {
    if (this.#streams >= this.#maxStreams) {
      throw new TaskError('task_too_many', `${this.#streams} readers follow output already`);
    }
    this.#streams += 1;
    const stopped = new AbortController();
    const ended = AbortSignal.any([signal, stopped.signal, this.#tasks.closing]);
    const events = this.#events(id, { after, signal: ended });
    let isOpen = true;
    const leave = (): void => {
      if (isOpen) this.#streams -= 1;
      isOpen = false;
      stopped.abort();
    };
    signal.addEventListener('abort', leave, { once: true });
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await events.next().catch((error: unknown) => {
            leave();
            throw error;
          });
          if (next.done !== true) {
            controller.enqueue(next.value);
            return;
          }
          leave();
          controller.close();
        },
        cancel: leave,
      },
      { highWaterMark: 0 },
    );
    return new Response(body, {
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      },
    });
  }

  async *#events(
    id: string,
    { after, signal }: { readonly after: number; readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    const { clock } = this.#tasks.context;
    const encoder = new TextEncoder();
    let seq = after;
    let quietMs = 0;
    yield encoder.encode(': output\n\n');
    while (!signal.aborted) {
      const page = await this.#tasks.readOutput(id, { after: seq, limit: pageChunks });
      if (page.chunks.length > 0) {
        quietMs = 0;
        seq = page.chunks.at(-1)?.seq ?? seq;
        const events = page.chunks.map(
          (chunk) => `id: ${chunk.seq}\ndata: ${JSON.stringify(chunk)}\n\n`,
        );
        yield encoder.encode(events.join(''));
        continue;
      }
      if (page.isOver) {
        const { refused } = page;
        yield encoder.encode(`event: end\ndata: ${JSON.stringify({ seq: page.seq, refused })}\n\n`);
        return;
      }
      await delay(clock, this.#pollMs, signal);
      quietMs += this.#pollMs;
      if (quietMs < keepAliveMs) continue;
      quietMs = 0;
      yield encoder.encode(': still there\n\n');
    }
  }
}
