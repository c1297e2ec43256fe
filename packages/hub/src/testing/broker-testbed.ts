import type { Broker, BrokerPublishOptions } from '../ports/broker.ts';
import type { LinkedTestbed, PortTestbed } from './port-testbed.ts';
import { RecordedEvents } from './recorded-events.ts';

export type BrokerTestbed = LinkedTestbed<Broker>;

/** History for as long as a test takes. */
export const kept: BrokerPublishOptions = {
  historySize: 1000,
  historyTtlMs: 60_000,
  historyMetaTtlMs: 600_000,
};

interface Subscribable {
  start(events: RecordedEvents): Promise<void>;
  subscribe(channel: string): Promise<void>;
}

/** A started node, and what it was told. */
export async function startNode<Port extends Subscribable>(
  testbed: PortTestbed<Port>,
  ...channels: readonly string[]
): Promise<{ readonly broker: Port; readonly events: RecordedEvents }> {
  const broker = await testbed.addNode();
  const events = new RecordedEvents();
  await broker.start(events);
  for (const channel of channels) await broker.subscribe(channel);
  return { broker, events };
}
