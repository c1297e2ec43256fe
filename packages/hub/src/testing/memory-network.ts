import { MemoryBroker } from '../memory/memory-broker.ts';
import { MemoryBus, type MemoryBusPeers } from '../memory/memory-bus.ts';
import { MemoryExchange, type MemoryExchangeOptions } from '../memory/memory-exchange.ts';
import type { JournalingOptions } from '../memory/journaling.ts';
import { MemoryMapBroker } from '../memory/memory-map-broker.ts';
import { MemoryMapExchange } from '../memory/memory-map-exchange.ts';
import { MemoryPresenceStore } from '../memory/memory-presence-store.ts';
import type { Broker } from '../ports/broker.ts';
import type { MapBroker } from '../ports/map-broker.ts';
import type { NodeBus } from '../ports/node-bus.ts';
import type { PresenceStore } from '../ports/presence-store.ts';
import { FaultLink } from './fault-link.ts';

/** The ports of one hub in a {@link MemoryNetwork}. */
export interface MemoryNode {
  readonly broker: Broker;
  readonly maps: MapBroker;
  readonly presence: PresenceStore;
  readonly bus: NodeBus;
  /** Breaks what this node receives. */
  readonly link: FaultLink;
}

export interface MemoryNetwork {
  /** Ports for one more hub, which shares streams, maps, presence and bus with the hubs before it. */
  addNode(): MemoryNode;
}

export interface MemoryNetworkOptions extends Omit<MemoryExchangeOptions, 'journaling'> {
  /** Makes streams outlive the process. */
  readonly streams?: JournalingOptions;
  /** Makes maps outlive the process. */
  readonly maps?: JournalingOptions;
}

/** A cluster within one process: what one node publishes reaches all that subscribed. */
export function createMemoryNetwork({
  streams,
  maps,
  ...options
}: MemoryNetworkOptions = {}): MemoryNetwork {
  const exchange = new MemoryExchange({ ...options, ...(streams && { journaling: streams }) });
  const mapExchange = new MemoryMapExchange({ ...options, ...(maps && { journaling: maps }) });
  const presence = new MemoryPresenceStore(options);
  const peers: MemoryBusPeers = new Map();
  return {
    addNode() {
      const link = new FaultLink();
      return {
        broker: link.brokerBehind(new MemoryBroker({ exchange })),
        maps: link.mapBrokerBehind(new MemoryMapBroker({ exchange: mapExchange })),
        presence,
        bus: link.busBehind(new MemoryBus(peers)),
        link,
      };
    },
  };
}
