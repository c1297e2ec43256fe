import { setTimeout } from 'node:timers/promises';
import type { HandshakeAnswer } from './judge-handshake.ts';
import type { CommandObservation, PatienceObservation } from './judge-polling.ts';
import type { Visitor } from './visitor.ts';

interface PollAnswer extends HandshakeAnswer {
  /** Undefined where this is no batch of ours, or not all of it. */
  readonly batch: Batch | undefined;
}

interface Batch {
  readonly number: number;
  readonly node?: string;
  readonly session?: string;
  readonly replies: readonly { readonly id?: number; readonly connect?: object }[];
}

/** So that a poll is under way before the command beside it. */
const headStartMs = 100;

/** A connection made of polls, as a client has it when nothing else gets through. */
export class ProbePolling {
  readonly #visitor: Visitor;
  #address: object = {};
  #ack = 0;

  constructor(visitor: Visitor) {
    this.#visitor = visitor;
  }

  /**
   * The answer to the first request, undefined when none came in time, and whether the server let the
   * doctor in with it.
   * @throws the error of the network
   */
  async open(): Promise<{ readonly answer: PollAnswer | undefined; readonly isLetIn: boolean }> {
    const { timeoutMs, credentials } = this.#visitor;
    const data = JSON.stringify({ id: 1, connect: credentials });
    const answer = await this.#ask({ data, wait: timeoutMs / 2 }, timeoutMs);
    const { number = 0, node, session, replies = [] } = answer?.batch ?? {};
    this.#ack = number;
    if (node !== undefined && session !== undefined) this.#address = { node, session };
    return { answer, isLetIn: replies.some(({ connect }) => connect !== undefined) };
  }

  /** Sends a command while a poll waits, whose answer the next batch is. */
  async command(): Promise<CommandObservation> {
    const { timeoutMs } = this.#visitor;
    const waitMs = timeoutMs / 2;
    const pollAt = performance.now();
    const sendAt = pollAt + headStartMs;
    const [reply, taken] = await Promise.all([
      this.#pollFor(2, { waitMs, deadlineMs: sendAt + timeoutMs }),
      this.#send({ id: 2, rpc: { method: '' } }),
    ]);
    return {
      waitMs,
      timeoutMs,
      status: taken.status,
      takenAfterMs: taken.atMs - sendAt,
      replyAfterMs: reply.atMs && Math.max(0, reply.atMs - sendAt),
      isStale: reply.isStale || taken.isStale,
    };
  }

  async #send(command: object) {
    await setTimeout(headStartMs);
    const data = JSON.stringify(command);
    const answer = await this.#ask({ seq: 1, data }, this.#visitor.timeoutMs);
    return {
      status: answer?.status,
      atMs: performance.now(),
      isStale: answer?.batch !== undefined,
    };
  }

  async #pollFor(
    id: number,
    { waitMs, deadlineMs }: { readonly waitMs: number; readonly deadlineMs: number },
  ): Promise<{ readonly atMs?: number; readonly isStale: boolean }> {
    for (;;) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return { isStale: false };
      const answer = await this.#poll(Math.min(waitMs, leftMs), leftMs);
      if (answer?.batch === undefined) return { isStale: false };
      const { number, replies } = answer.batch;
      // An empty batch has no number; one that the client said it has never comes again.
      if (number > 0 && number <= this.#ack) return { isStale: true };
      this.#ack = Math.max(number, this.#ack);
      if (replies.some((reply) => reply.id === id)) {
        return { atMs: performance.now(), isStale: false };
      }
    }
  }

  /** Polls while there is nothing to say. */
  async wait(seconds: number): Promise<PatienceObservation> {
    const started = performance.now();
    let answer: PollAnswer | undefined;
    try {
      answer = await this.#poll(seconds * 1000, seconds * 1000 + this.#visitor.timeoutMs);
    } catch {
      // Cut: there is no answer.
    }
    const endedAfterSeconds = (performance.now() - started) / 1000;
    return { askedSeconds: seconds, endedAfterSeconds, isAnswered: answer?.batch !== undefined };
  }

  async close(): Promise<void> {
    try {
      if ('session' in this.#address) await this.#ask({ close: true }, this.#visitor.timeoutMs);
    } catch {
      // The server ends it after a while.
    }
  }

  #poll(waitMs: number, timeoutMs: number): Promise<PollAnswer | undefined> {
    return this.#ask({ ack: this.#ack, wait: Math.round(waitMs) }, timeoutMs);
  }

  async #ask(question: object, timeoutMs: number): Promise<PollAnswer | undefined> {
    const signal = AbortSignal.timeout(Math.ceil(timeoutMs));
    try {
      const response = await fetch(this.#visitor.target.polling, {
        method: 'POST',
        body: JSON.stringify({ ...this.#address, ...question }),
        headers: { 'Content-Type': 'application/json' },
        redirect: 'manual',
        signal,
      });
      const { status } = response;
      const body = await response.text();
      const headers = Object.fromEntries(response.headers);
      return { status, headers, body, batch: status === 200 ? batchOf(body) : undefined };
    } catch (error) {
      if (!signal.aborted) throw error;
      return undefined;
    }
  }
}

function batchOf(body: string): Batch | undefined {
  const [head = '', ...lines] = body.split('\n');
  try {
    const { batch, messages, node, session } = JSON.parse(head) as {
      readonly batch: number;
      readonly messages: number;
      readonly node?: string;
      readonly session?: string;
    };
    if (!Number.isSafeInteger(batch) || messages !== lines.length) return undefined;
    return {
      number: batch,
      ...(node !== undefined && { node }),
      ...(session !== undefined && { session }),
      replies: lines.map((line) => JSON.parse(line) as Batch['replies'][number]),
    };
  } catch {
    return undefined;
  }
}
