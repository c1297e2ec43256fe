import type { IncomingMessage, ServerResponse } from 'node:http';
import { UnknownNodeError } from '../cluster.ts';
import type { ConnectionGate } from '../connection-gate.ts';
import type { HubContext } from '../hub-context.ts';
import type { LongPollOptions } from '../transport-options.ts';
import { type HttpRefusal, refuse } from './http-refusal.ts';
import { type LongPollQuestion, parseLongPoll } from './long-poll-question.ts';
import { LongPollTransport } from './long-poll-transport.ts';

export interface LongPollEndpointOptions {
  readonly hub: HubContext;
  readonly gate: ConnectionGate;
  readonly options: LongPollOptions;
  /** Asks the node that has a session; see `UnknownNodeError`. */
  readonly ask: (nodeId: string, params: Uint8Array, deadlineMs: number) => Promise<Uint8Array>;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** An answer as it travels between nodes: a status of two bytes, then the body. */
interface Answer {
  readonly status: Status;
  readonly body?: Uint8Array;
}

/** Beyond the time of the poll itself, what another node may need for its answer. */
const nodeGraceMs = 2_000;
/** A peer that does not take a whole answer in this time is cut. */
const writeTimeoutMs = 10_000;

const headers = { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' };

const refusals = {
  400: { code: 'bad_request', message: 'the request could not be understood, or is out of order' },
  404: { code: 'unknown_session', message: 'this connection is over; connect again' },
  429: { code: 'too_many_requests', message: 'the requests of this connection come too fast' },
  503: {
    code: 'node_unreachable',
    message: 'the node that has this connection did not answer; ask again',
  },
} as const;
type Status = 200 | 204 | keyof typeof refusals;

function refusalFor(status: keyof typeof refusals): HttpRefusal {
  const hasHint = status === 429 || status === 503;
  return { status, ...refusals[status], ...(hasHint ? { headers: { 'Retry-After': '1' } } : {}) };
}

/**
 * Serves connections that are made of whole requests and answers. Any node takes the requests of any
 * session and brings them to the one that has it.
 */
export class LongPollEndpoint {
  readonly #options: LongPollEndpointOptions;
  readonly #transports = new Map<string, LongPollTransport>();

  constructor(options: LongPollEndpointOptions) {
    this.#options = options;
  }

  async serve({ request, response }: Exchange, body: Buffer): Promise<void> {
    const question = parseLongPoll(body, this.#options.options.pollTimeoutMs);
    const abort = new AbortController();
    response.once('close', () => abort.abort());
    if (question === undefined) refuse(response, refusalFor(400));
    else if (question.kind === 'open') await this.#open({ request, response }, question);
    else send(response, await this.#ask(question, { body, gone: abort.signal }));
  }

  /** Answers the question that another node got. */
  async answer(params: Uint8Array): Promise<Uint8Array> {
    const question = parseLongPoll(params, this.#options.options.pollTimeoutMs);
    const isMeant = question !== undefined && question.kind !== 'open';
    const { status, body = new Uint8Array(0) } = isMeant
      ? await this.#local(question)
      : { status: 400 };
    const answer = Buffer.alloc(2 + body.length);
    answer.writeUInt16BE(status);
    answer.set(body, 2);
    return answer;
  }

  async #open(
    { request, response }: Exchange,
    { data, waitMs }: LongPollQuestion & { readonly kind: 'open' },
  ): Promise<void> {
    const { hub, gate } = this.#options;
    const refusal = gate.refusalOf(request);
    if (refusal !== undefined) {
      hub.metrics.refusedHandshakes.add(refusal.code);
      refuse(response, refusal);
      return;
    }
    const transport = new LongPollTransport({
      request,
      timers: hub.timers,
      monotonic: () => hub.clock.monotonic(),
      onEnd: () => {
        this.#transports.delete(session.sessionId);
        gate.leave(session);
      },
    });
    const session = gate.enter(transport);
    transport.bind(session, hub.nodeId);
    this.#transports.set(session.sessionId, transport);
    const answer = transport.poll({ ack: 0, waitMs });
    // A client that went away before it knew its session can never come back to it.
    response.once('close', () => {
      if (!response.writableFinished) transport.terminate();
    });
    session.receive(Buffer.from(data));
    const body = await answer;
    send(response, body === undefined ? { status: 404 } : { status: 200, body });
  }

  async #ask(
    question: Exclude<LongPollQuestion, { readonly kind: 'open' }>,
    { body, gone }: { readonly body: Uint8Array; readonly gone: AbortSignal },
  ): Promise<Answer> {
    const { hub, ask } = this.#options;
    if (question.node === hub.nodeId) return this.#local(question, gone);
    const waitMs = question.kind === 'poll' ? question.waitMs : 0;
    try {
      const answer = Buffer.from(await ask(question.node, body, waitMs + nodeGraceMs));
      return { status: answer.readUInt16BE() as Status, body: answer.subarray(2) };
    } catch (error) {
      if (error instanceof UnknownNodeError) return { status: 404 };
      hub.logger.warn(
        { err: error, node: question.node },
        'a poll could not be brought to its node',
      );
      return { status: 503 };
    }
  }

  async #local(
    question: Exclude<LongPollQuestion, { readonly kind: 'open' }>,
    gone?: AbortSignal,
  ): Promise<Answer> {
    const transport = this.#transports.get(question.session);
    if (transport === undefined) return { status: 404 };
    if (!transport.mayAsk()) return { status: 429 };
    switch (question.kind) {
      case 'close':
        transport.terminate();
        return { status: 204 };
      case 'send': {
        const outcome = transport.receive(question.sequence, Buffer.from(question.data));
        return { status: ({ taken: 204, busy: 429, out_of_order: 400 } as const)[outcome] };
      }
      case 'poll': {
        const { ack, waitMs } = question;
        if (!transport.knows(ack)) return { status: 400 };
        const body = await transport.poll({ ack, waitMs, ...(gone === undefined ? {} : { gone }) });
        return body === undefined ? { status: 404 } : { status: 200, body };
      }
    }
  }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  if (response.destroyed) return;
  response.setTimeout(writeTimeoutMs, () => response.destroy());
  if (status === 204) response.writeHead(204, { 'Cache-Control': 'no-store' }).end();
  else if (status !== 200 || body === undefined) refuse(response, refusalFor(status as 404));
  else response.writeHead(200, { ...headers, 'Content-Length': body.length }).end(body);
}
