/**
 * Typed calls from the runner to its child processes over Node's IPC channel.
 *
 * @module
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** What a child process offers: one argument in, one structured-cloneable value out. */
export type Methods<Shape> = {
  readonly [Name in keyof Shape]: (argument: never) => unknown;
};

interface CallRequest {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

type CallResponse =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };

/** Answers calls in this child process until the runner goes away, then ends the process. */
export function serveCalls<Shape extends Methods<Shape>>(methods: Shape): void {
  const byName = methods as unknown as Readonly<Record<string, (argument: unknown) => unknown>>;
  const answer = async ({ id, method, argument }: CallRequest): Promise<CallResponse> => {
    try {
      return { id, result: await byName[method]?.(argument) };
    } catch (error) {
      return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  };
  process.on('message', (request: CallRequest) => {
    void answer(request).then((response) => process.send?.(response));
  });
  // Without this a server under load would outlive a runner that was interrupted.
  process.on('disconnect', () => process.exit(0));
}

/**
 * The young generation is bounded as `npm start` bounds it. Left alone, V8 lets it grow to 130 MB in
 * a storm of connects and keeps that: 13 KB for each of 10,000 connections that are none of theirs.
 */
const nodeFlags = [
  '--conditions=@holdfast/source',
  '--expose-gc',
  '--max-semi-space-size=16',
] as const;

interface PendingCall {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface ChildOptions {
  /** Appears in errors. */
  readonly name: string;
  readonly entry: URL;
  /** Longest wait for one answer. @defaultValue 120000 */
  readonly callTimeoutMs?: number;
}

/** A child process that answers calls; disposing ends it. */
export class RemoteProcess<Shape extends Methods<Shape>> implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #callTimeoutMs: number;
  readonly #pending = new Map<number, PendingCall>();
  #lastId = 0;

  constructor({ name, entry, callTimeoutMs = 120_000 }: ChildOptions) {
    this.#name = name;
    this.#callTimeoutMs = callTimeoutMs;
    this.#child = fork(entry, {
      execArgv: [...nodeFlags],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (response: CallResponse) => this.#settle(response));
    this.#child.on('exit', (code, signal) => {
      const error = new Error(`${name} ended with ${signal ?? `code ${code}`}; its error is above`);
      for (const call of this.#pending.values()) call.reject(error);
      this.#pending.clear();
    });
  }

  #settle(response: CallResponse): void {
    const call = this.#pending.get(response.id);
    this.#pending.delete(response.id);
    if ('error' in response) call?.reject(new Error(`${this.#name}: ${response.error}`));
    else call?.resolve(response.result);
  }

  /** Calls one method of the child. Rejects with its error, its end, or the deadline. */
  call<Name extends keyof Shape & string>(
    method: Name,
    ...[argument]: Parameters<Shape[Name]>
  ): Promise<Awaited<ReturnType<Shape[Name]>>> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#pending.delete(id);
        reject(
          new Error(`${this.#name} did not answer ${method} within ${this.#callTimeoutMs} ms`),
        );
      }, this.#callTimeoutMs);
      this.#pending.set(id, {
        resolve: (result) => {
          clearTimeout(deadline);
          resolve(result as Awaited<ReturnType<Shape[Name]>>);
        },
        reject: (error) => {
          clearTimeout(deadline);
          reject(error);
        },
      });
      this.#child.send({ id, method, argument } satisfies CallRequest, (error) => {
        if (error !== null) this.#settle({ id, error: error.message });
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
