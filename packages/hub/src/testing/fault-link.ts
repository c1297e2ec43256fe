import type { Broker, BrokerEvents } from '../ports/broker.ts';
import type { MapBroker } from '../ports/map-broker.ts';
import type { NodeBus } from '../ports/node-bus.ts';

/**
 * What stands between one node and the others, to be broken in tests. It acts on what the node
 * receives; what the node sends or asks gets through.
 */
export class FaultLink {
  #mode: 'open' | 'drop' | 'hold' = 'open';
  #dropsLeft = 0;
  readonly #held: (() => void)[] = [];
  readonly #interruptible: Pick<BrokerEvents, 'interrupted'>[] = [];
  /** Deliveries lost so far. */
  dropped = 0;

  /** Loses every delivery from now on. */
  drop(): void {
    this.#mode = 'drop';
  }

  /** Loses only the next deliveries. */
  dropNext(count = 1): void {
    this.#dropsLeft += count;
  }

  /** Keeps every delivery back from now on. */
  hold(): void {
    this.#mode = 'hold';
  }

  /** Lets deliveries through again, first those kept back, in order. What was lost stays lost. */
  restore(): void {
    this.#dropsLeft = 0;
    // Still on hold meanwhile: what a handler causes now goes behind what waits already.
    for (let deliver = this.#held.shift(); deliver; deliver = this.#held.shift()) deliver();
    this.#mode = 'open';
  }

  /** Reports to the node that deliveries may have been lost. */
  interrupt(channels?: readonly string[]): void {
    for (const events of this.#interruptible) events.interrupted(channels);
  }

  /** The same broker, its events behind this link. */
  brokerBehind(broker: Broker): Broker {
    return overridden(broker, {
      start: (events) => {
        this.#interruptible.push(events);
        return broker.start({
          publication: (event) => this.#pass(() => events.publication(event)),
          join: (channel, info) => this.#pass(() => events.join(channel, info)),
          leave: (channel, info) => this.#pass(() => events.leave(channel, info)),
          interrupted: (channels) => events.interrupted(channels),
        });
      },
    });
  }

  /** The same map broker, its events behind this link. */
  mapBrokerBehind(broker: MapBroker): MapBroker {
    return overridden(broker, {
      start: (events) => {
        this.#interruptible.push(events);
        return broker.start({
          publication: (event) => this.#pass(() => events.publication(event)),
          cleared: (channel) => this.#pass(() => events.cleared(channel)),
          interrupted: (channels) => events.interrupted(channels),
        });
      },
    });
  }

  /** The same bus, what it receives behind this link. */
  busBehind(bus: NodeBus): NodeBus {
    return overridden(bus, {
      start: (nodeId, receive) =>
        bus.start(nodeId, (message) => this.#pass(() => receive(message))),
    });
  }

  #pass(deliver: () => void): void {
    if (this.#mode === 'drop' || this.#dropsLeft > 0) {
      this.#dropsLeft = Math.max(0, this.#dropsLeft - 1);
      this.dropped += 1;
    } else if (this.#mode === 'hold') {
      this.#held.push(deliver);
    } else {
      deliver();
    }
  }
}

/** Methods with private members need their own `this`, so every other one is bound to `target`. */
function overridden<Port extends Broker | MapBroker | NodeBus>(
  target: Port,
  changes: Partial<Port>,
): Port {
  return new Proxy(target, {
    get(_, name) {
      const changed: unknown = Reflect.get(changes, name);
      if (changed !== undefined) return changed;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
