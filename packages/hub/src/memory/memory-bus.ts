import type { NodeBus, NodeMessage } from '../ports/node-bus.ts';

/** The buses of one process that reach each other, by node id. */
export type MemoryBusPeers = Map<string, (message: NodeMessage) => void>;

/** A bus between the hubs of one process; without others, what it sends goes nowhere. */
export class MemoryBus implements NodeBus {
  readonly #peers: MemoryBusPeers;
  #nodeId: string | undefined;

  /** Buses made with the same `peers` reach each other. @defaultValue none */
  constructor(peers: MemoryBusPeers = new Map()) {
    this.#peers = peers;
  }

  async start(nodeId: string, receive: (message: NodeMessage) => void): Promise<void> {
    if (this.#peers.has(nodeId)) throw new Error(`two nodes have the id ${nodeId}`);
    this.#nodeId = nodeId;
    this.#peers.set(nodeId, receive);
  }

  async send(message: NodeMessage, nodeId?: string): Promise<void> {
    const receivers =
      nodeId === undefined ? [...this.#peers.keys()] : this.#peers.has(nodeId) ? [nodeId] : [];
    for (const receiver of receivers) {
      if (receiver === this.#nodeId) continue;
      // A copy, as over a network: nodes share no objects, and only plain data gets through.
      const copy = structuredClone(message);
      queueMicrotask(() => this.#peers.get(receiver)?.(copy));
    }
  }

  problem(): string | undefined {
    return this.#nodeId === undefined ? 'the memory bus is not started' : undefined;
  }

  async close(): Promise<void> {
    if (this.#nodeId !== undefined) this.#peers.delete(this.#nodeId);
    this.#nodeId = undefined;
  }
}
