import type { Clock } from './clock.ts';
import type { Logger } from './hub.ts';
import type { NodeBus, NodeInfo, NodeMessage } from './ports/node-bus.ts';

const announceIntervalMs = 3_000;
/** A node that was silent for three announcements is gone. */
const forgetAfterMs = 9_000;
const answerDeadlineMs = 2_000;

/** Orders that every node carries out for its own sessions and channels. */
export type ControlMessage = Extract<
  NodeMessage,
  {
    readonly type: 'subscribe' | 'unsubscribe' | 'disconnect' | 'refresh' | 'shared_poll_publish';
  }
>;

/** Answers the questions that other nodes ask; throws when it cannot. */
export type RequestHandler = (params: Uint8Array) => Promise<Uint8Array> | Uint8Array;

export interface ClusterOptions {
  readonly bus: NodeBus;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly randomId: () => string;
  readonly describe: () => NodeInfo;
  /** A node that was not there, or was away, has been heard of. */
  readonly met: (nodeId: string) => void;
  readonly control: (message: ControlMessage) => void;
}

interface Peer {
  readonly info: NodeInfo;
  readonly heardAt: number;
}

interface PendingAnswer {
  settle(outcome: Uint8Array | Error): void;
  readonly deadline: number;
}

/** What one node asks another. */
export interface NodeQuestion {
  readonly method: string;
  readonly params: Uint8Array;
  /** @defaultValue 2000 */
  readonly deadlineMs?: number;
}

/** The request went to a node that nobody has heard of lately. */
export class UnknownNodeError extends Error {
  override readonly name = 'UnknownNodeError';
}

/** This node among the others: who is there, questions with deadlines, orders to all. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #pending = new Map<string, PendingAnswer>();
  readonly #handlers = new Map<string, RequestHandler>();
  #stop: (() => void) | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { bus, nodeId, clock } = this.#options;
    await bus.start(nodeId, (message) => this.#receive(message));
    this.#announce();
    let announcedAt = clock.monotonic();
    this.#stop = clock.every(500, () => {
      const now = clock.monotonic();
      if (now - announcedAt >= announceIntervalMs) {
        announcedAt = now;
        this.#announce();
      }
      this.#expire(now);
    });
  }

  async close(): Promise<void> {
    this.#stop?.();
    for (const pending of this.#pending.values()) pending.settle(new Error('the node is closing'));
    await this.#options.bus.send({ type: 'node_left', uid: this.#options.nodeId });
    await this.#options.bus.close();
  }

  /** This node first, then every node heard of lately. */
  nodes(): readonly NodeInfo[] {
    return [this.#options.describe(), ...[...this.#peers.values()].map(({ info }) => info)];
  }

  /** Tells every node, this one included. Resolves when the order is on its way. */
  async order(message: ControlMessage): Promise<void> {
    this.#options.control(message);
    await this.#options.bus.send(message);
  }

  /** Registers what answers `method`, on this node and for the others. */
  handle(method: string, handler: RequestHandler): void {
    this.#handlers.set(method, handler);
  }

  /**
   * Asks one node. Rejects with {@link UnknownNodeError} when it is not there, and with an `Error`
   * when it cannot answer or does not in time.
   */
  async ask(
    nodeId: string,
    { method, params, deadlineMs = answerDeadlineMs }: NodeQuestion,
  ): Promise<Uint8Array> {
    const { bus, clock, randomId, nodeId: from } = this.#options;
    if (nodeId === from) return this.#answer(method, params);
    if (!this.#peers.has(nodeId)) throw new UnknownNodeError(`no node ${nodeId} is known`);
    const id = randomId();
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      this.#pending.set(id, {
        deadline: clock.monotonic() + deadlineMs,
        settle: (outcome) => {
          this.#pending.delete(id);
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
        },
      });
    });
    await bus.send({ type: 'request', id, from, method, params }, nodeId);
    return answer;
  }

  /** Asks every node, this one included; those that fail to answer are logged and left out. */
  async askAll(method: string, params: Uint8Array): Promise<readonly Uint8Array[]> {
    const nodeIds = [this.#options.nodeId, ...this.#peers.keys()];
    const answers = await Promise.allSettled(nodeIds.map((id) => this.ask(id, { method, params })));
    return answers.flatMap((answer, index) => {
      if (answer.status === 'fulfilled') return [answer.value];
      this.#options.logger.warn(
        { err: answer.reason as unknown, node: nodeIds[index] },
        `a node did not answer '${method}'; its part is missing in the result`,
      );
      return [];
    });
  }

  async #answer(method: string, params: Uint8Array): Promise<Uint8Array> {
    const handler = this.#handlers.get(method);
    if (handler === undefined) throw new Error(`this node does not know '${method}'`);
    return handler(params);
  }

  #receive(message: NodeMessage): void {
    switch (message.type) {
      case 'node_info':
        this.#meet(message.info);
        break;
      case 'node_left':
        this.#peers.delete(message.uid);
        break;
      case 'request':
        void this.#respond(message);
        break;
      case 'response': {
        const { result = new Uint8Array(0), error } = message;
        const outcome = error === undefined ? result : new Error(error);
        this.#pending.get(message.id)?.settle(outcome);
        break;
      }
      case 'subscribe':
      case 'unsubscribe':
      case 'disconnect':
      case 'refresh':
      case 'shared_poll_publish':
        this.#options.control(message);
        break;
    }
  }

  #meet(info: NodeInfo): void {
    const isNew = !this.#peers.has(info.uid);
    this.#peers.set(info.uid, { info, heardAt: this.#options.clock.monotonic() });
    // A newcomer learns of us at once instead of at our next announcement.
    if (!isNew) return;
    this.#announce();
    this.#options.met(info.uid);
  }

  async #respond(request: Extract<NodeMessage, { readonly type: 'request' }>): Promise<void> {
    const { id, from, method, params } = request;
    const { bus, logger, nodeId } = this.#options;
    try {
      const result = await this.#answer(method, params);
      await bus.send({ type: 'response', id, from: nodeId, result }, from);
    } catch (error) {
      logger.warn({ err: error, node: from }, `the question '${method}' could not be answered`);
      const reason = error instanceof Error ? error.message : String(error);
      await bus.send({ type: 'response', id, from: nodeId, error: reason }, from).catch(() => {
        // The asking node gives up at its own deadline.
      });
    }
  }

  #announce(): void {
    const { bus, logger, describe } = this.#options;
    bus.send({ type: 'node_info', info: describe() }).catch((error: unknown) => {
      logger.warn({ err: error }, 'this node could not announce itself to the others');
    });
  }

  #expire(now: number): void {
    for (const [uid, { heardAt }] of this.#peers) {
      if (now - heardAt > forgetAfterMs) this.#peers.delete(uid);
    }
    for (const pending of this.#pending.values()) {
      if (now >= pending.deadline) pending.settle(new Error('the node did not answer in time'));
    }
  }
}
