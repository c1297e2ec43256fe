import type { Broker } from '../ports/broker.ts';
import type { MapBroker } from '../ports/map-broker.ts';
import type { FaultLink } from './fault-link.ts';
import type { MemoryNetwork, MemoryNode } from './memory-network.ts';
import type { LinkedTestbed } from './port-testbed.ts';

export interface LinkedNodesOptions<Port> {
  readonly network: MemoryNetwork;
  /** The port of a node that is tested. */
  readonly portOf: (node: MemoryNode) => Port;
  /** Moves the clock of the network. */
  readonly advance: (ms: number) => Promise<void> | void;
  /** Called when all ports are closed. */
  readonly end: () => Promise<void> | void;
}

/** A testbed of one port of the nodes of a network, whose links can be broken. */
export function createLinkedNodes<Port extends Broker | MapBroker>({
  network,
  portOf,
  advance,
  end,
}: LinkedNodesOptions<Port>): LinkedTestbed<Port> {
  const links = new Map<Port, FaultLink>();
  return {
    async addNode() {
      const node = network.addNode();
      const port = portOf(node);
      links.set(port, node.link);
      return port;
    },
    async advance(ms) {
      await advance(ms);
    },
    async breakLink(port) {
      const link = links.get(port);
      link?.drop();
      link?.restore();
      link?.interrupt();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...links.keys()].map((port) => port.close()));
      await end();
    },
  };
}
