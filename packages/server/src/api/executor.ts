import type { Logger } from '@holdfast/hub';
import { ReplyError, jsonElements, jsonMembers, replyErrors } from '@holdfast/protocol';
import { z } from 'zod';
import { jsonBytes, stringifyWithRaw, type JsonWithRaw } from './raw-json.ts';
import { errorJson } from './api-json.ts';
import type { ApiMethod, ApiTarget } from './api-method.ts';
import { apiMethods, isApiMethodName, type ApiMethodName } from './methods.ts';
import { errorObject } from './schemas.ts';

/** Most commands in one batch. */
const maxBatchCommands = 10_000;
/** Commands of a parallel batch that are under way at the same time. */
const batchParallelism = 64;

const names = Object.keys(apiMethods) as ApiMethodName[];

export const batchRequest: z.ZodObject = z.object({
  commands: z
    .array(z.object(mapMethods((name) => apiMethods[name].request.optional())))
    .max(maxBatchCommands)
    .meta({ description: 'Each with one member, named for its method' }),
  parallel: z
    .boolean()
    .optional()
    .meta({ description: 'Run them at the same time; without it, in order, one after another' }),
});

export const batchResult: z.ZodObject = z.object({
  replies: z
    .array(
      z.object({
        ...mapMethods((name) => apiMethods[name].result.optional()),
        error: errorObject.optional(),
      }),
    )
    .meta({ description: 'One per command, in the order of the request' }),
});

const envelope = z.object({ parallel: z.boolean().nullish() });

/** Outcome of one method. Expected failures are values. */
export type ApiOutcome = { readonly result: JsonWithRaw } | { readonly error: ReplyError };

export interface ApiExecutorOptions extends ApiTarget {
  readonly logger: Logger;
  /** Told of each method that finished, those of a batch included. `code` is 0 for success. */
  readonly finished: (method: ApiMethodName, code: number, seconds: number) => void;
  /** Longest that one method may take. @defaultValue 10000 */
  readonly deadlineMs?: number;
}

/** Runs API methods: JSON text in, outcome out. Never rejects. */
export class ApiExecutor {
  readonly #options: ApiExecutorOptions;
  readonly #deadlineMs: number;

  constructor(options: ApiExecutorOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 10_000;
  }

  /** @param params - one valid JSON value. */
  async execute(method: ApiMethodName, params: string): Promise<ApiOutcome> {
    const started = performance.now();
    const outcome = await this.#run(method, params);
    const code = 'error' in outcome ? outcome.error.code : 0;
    this.#options.finished(method, code, (performance.now() - started) / 1000);
    return outcome;
  }

  /**
   * Runs the commands of a batch; a failure of one does not stop the others.
   * @param params - one valid JSON value.
   */
  async executeBatch(params: string): Promise<ApiOutcome> {
    const members = jsonMembers(params);
    const commands = jsonElements(members?.get('commands') ?? '[]');
    if (!members || !commands) return badRequest('commands must be an array');
    if (commands.length > maxBatchCommands) {
      return badRequest(`commands must not be more than ${maxBatchCommands}`);
    }
    const parsed = envelope.safeParse({ parallel: parseMember(members.get('parallel')) });
    if (!parsed.success) return badRequest(describeIssue(parsed.error));
    const replies: JsonWithRaw[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      for (let index = next++; index < commands.length; index = next++) {
        replies[index] = await this.#runCommand(commands[index] ?? '');
      }
    };
    const workers = parsed.data.parallel ? Math.min(batchParallelism, commands.length) : 1;
    await Promise.all(Array.from({ length: workers }, work));
    return { result: { replies } };
  }

  async #runCommand(command: string): Promise<JsonWithRaw> {
    for (const [name, params] of jsonMembers(command) ?? []) {
      if (!isApiMethodName(name)) continue;
      const outcome = await this.execute(name, params);
      return 'error' in outcome ? { error: errorJson(outcome.error) } : { [name]: outcome.result };
    }
    return { error: errorJson(replyErrors.methodNotFound) };
  }

  async #run(name: ApiMethodName, params: string): Promise<ApiOutcome> {
    const method = apiMethods[name];
    const request = parseRequest(method, params);
    if (request instanceof ReplyError) return { error: request };
    try {
      return { result: await this.#withinDeadline(method.run(this.#options, request)) };
    } catch (error) {
      if (error instanceof ReplyError) return { error };
      this.#options.logger.error({ err: error, method: name }, 'API method failed');
      return { error: replyErrors.internal };
    }
  }

  async #withinDeadline<Result>(work: Promise<Result>): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no answer within ${this.#deadlineMs} ms`)),
        this.#deadlineMs,
      );
    });
    try {
      return await Promise.race([work, deadline]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The body of a reply in the way of Centrifugo: HTTP 200 whatever the outcome. */
export function outcomeJson(outcome: ApiOutcome): string {
  return stringifyWithRaw('error' in outcome ? { error: errorJson(outcome.error) } : outcome);
}

/**
 * Reads a request. A member that is `null` counts as absent, as in the JSON form of Protobuf, unless
 * it is application data.
 */
function parseRequest(method: ApiMethod, params: string): unknown {
  const members = jsonMembers(params);
  if (!members) return badRequest('the parameters must be a JSON object').error;
  const request: [string, unknown][] = [];
  for (const [name, text] of members) {
    if (method.rawMembers.has(name)) request.push([name, jsonBytes(text)]);
    else if (text !== 'null') request.push([name, JSON.parse(text)]);
  }
  const parsed = method.request.safeParse(Object.fromEntries(request));
  return parsed.success ? parsed.data : badRequest(describeIssue(parsed.error)).error;
}

function parseMember(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text);
}

function badRequest(what: string): { readonly error: ReplyError } {
  return { error: new ReplyError(replyErrors.badRequest.code, `bad request: ${what}`) };
}

/** `channel: expected string, received number`. Never repeats what was sent. */
function describeIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  if (!issue) return 'invalid';
  const message = issue.message.replace(/^Invalid input: /, '');
  return issue.path.length === 0 ? message : `${issue.path.join('.')}: ${message}`;
}

function mapMethods<Schema>(make: (name: ApiMethodName) => Schema): Record<string, Schema> {
  return Object.fromEntries(names.map((name) => [name, make(name)]));
}
