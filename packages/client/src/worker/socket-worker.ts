import { Centrifuge, State } from 'centrifuge';
import { WorkerRun, type WorkerHandler, type WorkerTask } from './worker-run.ts';

/** Where a worker connects, and what it does. */
export interface WorkerOptions {
  /** Of the WebSocket endpoint, for example `wss://example.org/connection/websocket`. */
  readonly url: string;
  /** The server's `tasks.worker_token`. */
  readonly token: string;
  readonly kinds: Readonly<Record<string, WorkerHandler>>;
  /** Tasks at the same time, of all kinds. @defaultValue 4 */
  readonly concurrency?: number;
  /** Unique among workers, and the same for as long as this one lives. @defaultValue random */
  readonly id?: string;
  /** For people. @defaultValue the id */
  readonly name?: string;
  /** For a Node without one of its own, the class of the package `ws`. */
  readonly websocket?: unknown;
  /** Told of everything that goes wrong and is tried again. @defaultValue nobody */
  readonly onProblem?: (error: unknown) => void;
}

/** A running worker. */
export interface Worker {
  /** How many tasks it works on. */
  readonly running: number;
  /**
   * Takes no more, asks handlers to stop, and gives back what has not stopped within `graceMs`.
   * @defaultValue 10000
   */
  close(graceMs?: number): Promise<void>;
}

const timeoutMs = 10_000;
const checkEveryMs = 250;
/** In case that the word of new work did not come through. */
const askEveryMs = 15_000;

export class SocketWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #id: string;
  readonly #concurrency: number;
  readonly #client: Centrifuge;
  readonly #runs = new Set<WorkerRun>();
  readonly #settled = new Set<Promise<void>>();
  readonly #beating: ReturnType<typeof setInterval>;
  #isAsking = false;
  #isWanted = false;
  #isClosing = false;
  #isBeating = false;
  #askedAt = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#id = options.id ?? globalThis.crypto.randomUUID();
    this.#concurrency = options.concurrency ?? 4;
    const client = new Centrifuge(options.url, {
      data: { holdfast_worker: options.token },
      timeout: timeoutMs,
      name: 'holdfast-worker',
      ...(options.websocket === undefined ? {} : { websocket: options.websocket }),
    });
    client.on('connected', () => void this.#ask());
    client.on('message', ({ data }) => {
      if ((data as { type?: unknown } | null)?.type === 'work') void this.#ask();
    });
    client.on('error', ({ error }) => this.#tell(error));
    client.on('disconnected', ({ code, reason }) => {
      if (this.#isClosing) return;
      this.#tell(new Error(`the server ended the connection for good: ${code} ${reason}`));
    });
    this.#client = client;
    this.#beating = setInterval(() => void this.#beat(), checkEveryMs);
    client.connect();
  }

  get running(): number {
    return this.#runs.size;
  }

  async close(graceMs = 10_000): Promise<void> {
    this.#isClosing = true;
    for (const run of this.#runs) run.stopSoon();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const grace = new Promise((resolve) => (timer = setTimeout(resolve, graceMs)));
    await Promise.race([Promise.all(this.#settled), grace]);
    clearTimeout(timer);
    await Promise.all([...this.#runs].map((run) => run.abandon()));
    clearInterval(this.#beating);
    if (this.#isConnected) {
      await this.#call('bye', { worker: this.#id }).catch((error: unknown) => this.#tell(error));
    }
    this.#client.disconnect();
  }

  get #isConnected(): boolean {
    return this.#client.state === State.Connected;
  }

  get #canTake(): boolean {
    return !this.#isClosing && this.#isConnected && this.#runs.size < this.#concurrency;
  }

  async #call(method: string, body: object): Promise<unknown> {
    const { data } = await this.#client.rpc(`tasks.${method}`, body);
    return data as unknown;
  }

  #tell(problem: unknown): void {
    this.#options.onProblem?.(problem);
  }

  async #ask(): Promise<void> {
    this.#isWanted = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      while (this.#isWanted && this.#canTake) {
        this.#isWanted = false;
        await this.#claim();
      }
    } catch (error) {
      this.#tell(error);
    } finally {
      this.#isAsking = false;
    }
  }

  async #claim(): Promise<void> {
    this.#askedAt = performance.now();
    const answer = await this.#call('claim', {
      worker: this.#id,
      name: this.#options.name ?? this.#id,
      kinds: Object.keys(this.#options.kinds),
      limit: this.#concurrency - this.#runs.size,
    });
    for (const task of (answer as { readonly tasks: readonly WorkerTask[] }).tasks) {
      const handler = this.#options.kinds[task.kind];
      if (handler !== undefined) this.#start(task, handler);
    }
  }

  #start(task: WorkerTask, handler: WorkerHandler): void {
    const run = new WorkerRun(task, (method, body) => this.#call(method, body));
    this.#runs.add(run);
    const running = run.run(handler).finally(() => {
      this.#runs.delete(run);
      this.#settled.delete(running);
      void this.#ask();
    });
    this.#settled.add(running);
  }

  async #beat(): Promise<void> {
    for (const run of this.#runs) run.check();
    if (performance.now() - this.#askedAt >= askEveryMs) void this.#ask();
    const due = [...this.#runs].filter((run) => run.isHeartbeatDue);
    if (due.length === 0 || this.#isBeating || !this.#isConnected) return;
    this.#isBeating = true;
    const at = performance.now();
    try {
      const leases = due.map(({ task }) => ({ id: task.id, token: task.token }));
      const answer = await this.#call('heartbeat', { worker: this.#id, leases });
      const { leases: states } = answer as {
        readonly leases: readonly { isCancelRequested?: boolean; error?: unknown }[];
      };
      for (const [index, state] of states.entries()) {
        if (state.error === undefined) due[index]?.renew(at, state);
        else due[index]?.lose();
      }
    } catch (error) {
      this.#tell(error);
    } finally {
      this.#isBeating = false;
    }
  }
}
