/** A task that this worker has taken. */
export interface WorkerTask {
  readonly id: string;
  /** Fencing token: every write carries it. */
  readonly token: number;
  readonly kind: string;
  readonly owner: string;
  readonly payload: unknown;
  /** From 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  /** What the attempt before left with `checkpoint`; null for a start from the beginning. */
  readonly checkpoint: unknown;
}

/** How far a task is. */
export interface WorkerProgress {
  /** From 0 to 1: of the current step, or of the whole when there are no steps. */
  readonly fraction?: number;
  readonly message?: string;
  readonly step?: string;
  readonly steps?: readonly {
    readonly name: string;
    readonly weight?: number;
    readonly maxMs?: number;
  }[];
}

/** What a handler can do beside its work. Each write is repeated for as long as the lease lasts. */
export interface WorkerTools {
  /**
   * Aborted with `cancelled` when the task is to stop, `lease_lost` when somebody else may have it, and
   * `stopping` when the worker is closed.
   */
  readonly signal: AbortSignal;
  readonly progress: (update: WorkerProgress) => Promise<void>;
  readonly output: (text: string, type?: string) => Promise<void>;
  /** Keeps what the next attempt needs to go on where this one is. */
  readonly checkpoint: (value: unknown) => Promise<void>;
  /** Requests a task that this one ends after. */
  readonly child: (request: {
    readonly kind: string;
    readonly payload?: unknown;
    readonly key?: string;
  }) => Promise<{ readonly id: string; readonly outcome: string }>;
}

/** Does the work of a kind. Its result must be JSON. An error with `retryable: false` is final. */
export type WorkerHandler = (task: WorkerTask, tools: WorkerTools) => Promise<unknown>;

/** Answers a call of the worker API. Rejects with `code`, `message` and `temporary`. */
export type CallServer = (call: string, body: object) => Promise<unknown>;

/** Codes after which the task is no longer ours. */
const overCodes: ReadonlySet<unknown> = new Set([1404, 1409]);
const firstRetryMs = 100;
const longestRetryMs = 2000;

/** One attempt at a task. Its lease does not belong to the connection: it lives as long as it is told of. */
export class WorkerRun {
  readonly task: WorkerTask;
  readonly #call: CallServer;
  readonly #abort = new AbortController();
  readonly #lost = Promise.withResolvers<void>();
  #renewedAt = performance.now();
  #isLost = false;

  constructor(task: WorkerTask, call: CallServer) {
    this.task = task;
    this.#call = call;
  }

  get isHeartbeatDue(): boolean {
    return performance.now() - this.#renewedAt >= this.task.heartbeatMs;
  }

  /** Nothing was heard for a whole lease: it is over, whatever the server says. */
  check(): void {
    if (performance.now() - this.#renewedAt >= this.task.leaseMs) this.lose();
  }

  /** @param askedAt - when it was asked: the lease counts from then at the latest. */
  renew(askedAt: number, { isCancelRequested = false }: { isCancelRequested?: boolean }): void {
    this.#renewedAt = Math.max(this.#renewedAt, askedAt);
    if (isCancelRequested) this.#stop('cancelled');
  }

  lose(): void {
    this.#isLost = true;
    this.#stop('lease_lost');
    this.#lost.resolve();
  }

  stopSoon(): void {
    this.#stop('stopping');
  }

  /** Runs the handler to its end and says so. Never rejects. */
  async run(handler: WorkerHandler): Promise<void> {
    // A handler that does not stop is left to itself: nothing that it writes counts any more.
    await Promise.race([this.#work(handler), this.#lost.promise]);
  }

  /** Gives the task back although its handler goes on. */
  async abandon(): Promise<void> {
    if (!this.#isLost) await this.#write('release', {}).catch(() => {});
    this.lose();
  }

  async #work(handler: WorkerHandler): Promise<void> {
    const write = async (call: string, body: object): Promise<void> => {
      await this.#write(call, body);
    };
    try {
      const result = await handler(this.task, {
        signal: this.#abort.signal,
        progress: (update) => write('progress', update),
        output: (data, type = 'log') => write('output', { parts: [{ type, data }] }),
        checkpoint: (value) => write('checkpoint', { value }),
        child: async (request) =>
          (await this.#write('child', request)) as { id: string; outcome: string },
      });
      await this.#write('complete', { result: result ?? null });
    } catch (error) {
      await this.#end(error).catch(() => this.lose());
    }
  }

  async #end(error: unknown): Promise<void> {
    if (this.#isLost) return;
    if (this.#abort.signal.aborted) await this.#write('release', {});
    else {
      const isFinal = (error as { retryable?: unknown } | null)?.retryable === false;
      await this.#write('fail', { message: String(error), retryable: !isFinal });
    }
  }

  async #write(call: string, body: object): Promise<unknown> {
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(waitMs * 2, longestRetryMs)) {
      this.check();
      if (this.#isLost) throw new Error(`task ${this.task.id} is no longer ours`);
      const askedAt = performance.now();
      try {
        const { id, token } = this.task;
        const answer = await this.#call(call, { ...body, id, token });
        this.renew(askedAt, answer as { isCancelRequested?: boolean });
        return answer;
      } catch (error) {
        const { code, temporary } = error as { code?: number; temporary?: boolean };
        if (overCodes.has(code)) this.lose();
        const canWait = temporary === true || code === undefined || code < 100;
        if (!canWait) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  #stop(reason: string): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(reason);
  }
}
