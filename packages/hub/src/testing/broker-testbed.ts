import type { Broker, BrokerPublishOptions } from '../ports/broker.ts';
import type { PortTestbed } from './port-testbed.ts';
import { RecordedEvents } from './recorded-events.ts';

export interface BrokerTestbed extends PortTestbed<Broker> {
  /**
   * Breaks the link between one started node and the backing service, and resolves when it works
   * again.
   */
  breakLink(broker: Broker): Promise<void>;
}

/** History for as long as a test takes. */
export const kept: BrokerPublishOptions = {
  historySize: 1000,
  historyTtlMs: 60_000,
  historyMetaTtlMs: 600_000,
};

/** A started node, and what it was told. */
export async function startNode(
  testbed: BrokerTestbed,
  ...channels: readonly string[]
): Promise<{ readonly broker: Broker; readonly events: RecordedEvents }> {
  const broker = await testbed.addNode();
  const events = new RecordedEvents();
  await broker.start(events);
  for (const channel of channels) await broker.subscribe(channel);
  return { broker, events };
}
