import type { Clock, Logger } from '@holdfast/hub';
import {
  type Bytes,
  type Disconnect,
  disconnects,
  type ReplyError,
  replyErrors,
} from '@holdfast/protocol';
import { decodeUtf8, isJson, type JsonWithRaw, stringifyWithRaw } from '../api/raw-json.ts';
import { basicAuthorization } from './endpoint-url.ts';
import { FailureLog } from './failure-log.ts';
import { type ClientHeaders, ForwardedHeaders } from './forwarded-headers.ts';
import { type HookVerdict, prepareTransforms, readAnswer } from './hook-answer.ts';
import type { HookCallResult } from './hook-call.ts';
import { type CallOutcome, HookCallMetrics } from './hook-metrics.ts';
import type { HttpHookClient } from './http-hook-client.ts';
import { HookAnswerError, type ObjectReader } from './object-reader.ts';
import type { ResolvedHookProxyOptions } from './options.ts';
import { describeStatus } from './status-trouble.ts';

/** Hooks by the names that requests, metrics and log lines use. */
export type HookName =
  | 'connect'
  | 'refresh'
  | 'subscribe'
  | 'publish'
  | 'sub_refresh'
  | 'map_publish'
  | 'map_remove'
  | 'shared_poll_refresh'
  | 'rpc';

export interface HookQuestion {
  readonly hook: HookName;
  readonly headers: ClientHeaders;
  /** Members of the request body; bytes are embedded as JSON. */
  readonly body: Readonly<Record<string, JsonWithRaw>>;
  readonly signal: AbortSignal;
}

/** The backend's verdict, or that there is none. */
export type HookDecision<Result> =
  | HookVerdict<Result>
  /** The backend did not answer or not usably; it has been logged and counted. */
  | { readonly kind: 'failed' }
  /** Nobody waits for the decision any more. */
  | { readonly kind: 'canceled' };

export interface HookCallerOptions {
  readonly client: HttpHookClient;
  readonly url: URL;
  readonly proxy: ResolvedHookProxyOptions;
  /** Name under which namespaces know the endpoint, and label of its metrics. */
  readonly proxyName: string;
  /** The configuration key, for messages. */
  readonly key: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Hooks that only ask for permission: asking twice changes nothing in the backend. */
const repeatableHooks: ReadonlySet<HookName> = new Set([
  'connect',
  'refresh',
  'subscribe',
  'sub_refresh',
  'shared_poll_refresh',
]);

/** What a failure means to the client, to finish the log line. */
const consequences: Readonly<Record<HookName, string>> = {
  connect: 'clients get error 100 and try again',
  refresh: 'connections are kept for another minute',
  subscribe: 'clients get error 100 and try again',
  publish: 'publishers get error 100',
  sub_refresh: 'subscriptions are kept for another minute',
  map_publish: 'publishers get error 100',
  map_remove: 'publishers get error 100',
  shared_poll_refresh: 'keys keep the values they have until the next poll',
  rpc: 'callers get error 100',
};

/** Puts questions to one endpoint and reads its decisions. */
export class HookCaller {
  readonly #options: HookCallerOptions;
  readonly #headers: ForwardedHeaders;
  readonly #transforms: ReadonlyMap<number, ReplyError | Disconnect>;
  readonly #failures: FailureLog;
  readonly #metrics = new Map<HookName, HookCallMetrics>();

  /** @throws Error when the endpoint is configured in a way that cannot work. */
  constructor(options: HookCallerOptions) {
    this.#options = options;
    const { url, proxy, key, logger } = options;
    this.#headers = new ForwardedHeaders({ ...proxy, authorization: basicAuthorization(url), key });
    for (const name of this.#headers.ignoredNames) {
      logger.warn(
        { key, header: name },
        `${key}: the header ${name} belongs to a single hop or to the body and is not forwarded; take it out of the list`,
      );
    }
    this.#transforms = prepareTransforms(proxy.statusToCodeTransforms, key);
    this.#failures = new FailureLog(options.clock);
  }

  get client(): HttpHookClient {
    return this.#options.client;
  }

  get proxyName(): string {
    return this.#options.proxyName;
  }

  get metrics(): ReadonlyMap<HookName, HookCallMetrics> {
    return this.#metrics;
  }

  get usesBinaryEncoding(): boolean {
    return this.#options.proxy.binaryEncoding;
  }

  get includesMeta(): boolean {
    return this.#options.proxy.includeConnectionMeta;
  }

  /**
   * The members that carry a client's payload.
   * @throws ReplyError 107 when it is not JSON, which only Protobuf clients can send, and the
   * endpoint does not take base64. Embedding it would let the client write the request's members.
   */
  payload(hook: HookName, data: Bytes | undefined): { data?: Bytes; b64data?: string } {
    if (data === undefined) return {};
    if (this.usesBinaryEncoding) return { b64data: Buffer.from(data).toString('base64') };
    const text = decodeUtf8(data);
    if (text !== undefined && isJson(text)) return { data };
    const { key } = this.#options;
    this.#failures.report(`${hook} payload`, (suppressed) => {
      this.#options.logger.warn(
        { hook, key, suppressed },
        `${hook} hook: a client's data is not JSON, so it cannot be sent to the backend; the client gets error 107. For binary data set ${key}.binary_encoding`,
      );
    });
    throw replyErrors.badRequest;
  }

  /** Asks the backend. @throws ReplyError 107 for emulated headers that no HTTP request can carry. */
  async ask<Result>(
    question: HookQuestion,
    readResult: (result: ObjectReader) => Result,
  ): Promise<HookDecision<Result>> {
    const { clock, client } = this.#options;
    const { hook, signal } = question;
    const headers = this.#headers.build(question.headers);
    if (headers === undefined) throw replyErrors.badRequest;
    const startedAt = clock.monotonic();
    const isRepeatable = repeatableHooks.has(hook);
    const body = Buffer.from(stringifyWithRaw(question.body));
    const result = await client.call({ headers, body, signal, isRepeatable });
    const { decision, outcome } = this.#decide(hook, result, readResult);
    const metrics = this.#metricsOf(hook);
    metrics.outcomes.add(outcome);
    metrics.duration.observe(clock.monotonic() - startedAt);
    return decision;
  }

  #decide<Result>(
    hook: HookName,
    result: HookCallResult,
    readResult: (result: ObjectReader) => Result,
  ): { readonly decision: HookDecision<Result>; readonly outcome: CallOutcome } {
    if (result.kind === 'failure') {
      const { outcome, cause, advice } = result;
      if (outcome === 'canceled') return { decision: { kind: 'canceled' }, outcome };
      return this.#fail(hook, outcome, { cause, advice });
    }
    if (result.status !== 200) {
      const refusal = this.#transforms.get(result.status);
      if (refusal !== undefined) {
        return { decision: { kind: 'refusal', refusal }, outcome: 'answered' };
      }
      return this.#fail(hook, 'status', describeStatus(result, this.#options.url));
    }
    try {
      return { decision: readAnswer(result, readResult), outcome: 'answered' };
    } catch (error) {
      if (!(error instanceof HookAnswerError)) throw error;
      const advice = `Correct what the backend answers to the ${hook} hook.`;
      return this.#fail(hook, 'invalid_answer', { cause: error.message, advice });
    }
  }

  #fail(
    hook: HookName,
    outcome: CallOutcome,
    trouble: { readonly cause: string; readonly advice: string },
  ): { readonly decision: { readonly kind: 'failed' }; readonly outcome: CallOutcome } {
    const { client, key, logger } = this.#options;
    const { cause, advice } = trouble;
    this.#failures.report(`${hook} ${outcome}`, (suppressed) => {
      logger.error(
        { hook, key, endpoint: client.displayUrl, outcome, cause, suppressed },
        `${hook} hook at ${client.displayUrl}: ${cause}; ${consequences[hook]}. ${advice}`,
      );
    });
    return { decision: { kind: 'failed' }, outcome };
  }

  #metricsOf(hook: HookName): HookCallMetrics {
    const metrics = this.#metrics.get(hook) ?? new HookCallMetrics();
    this.#metrics.set(hook, metrics);
    return metrics;
  }
}

/** What a question handler of the hub does with a decision. @throws ReplyError or Disconnect */
export function settle<Result>(decision: HookDecision<Result>): Result {
  switch (decision.kind) {
    case 'result':
      return decision.result;
    case 'refusal':
      throw decision.refusal;
    case 'failed':
      throw replyErrors.internal;
    case 'canceled':
      throw disconnects.connectionClosed;
  }
}
