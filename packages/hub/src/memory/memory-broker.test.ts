import type { Broker } from '../ports/broker.ts';
import { expect, test } from 'vitest';
import { MemoryBroker } from './memory-broker.ts';
import type { BrokerTestbed } from '../testing/broker-testbed.ts';
import { describeBroker } from '../testing/describe-broker.ts';
import { createLinkedNodes } from '../testing/linked-nodes.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { createMemoryNetwork } from '../testing/memory-network.ts';
import { RecordedEvents } from '../testing/recorded-events.ts';

async function createTestbed(): Promise<BrokerTestbed> {
  const clock = new ManualClock();
  return createLinkedNodes<Broker>({
    network: createMemoryNetwork({ clock }),
    portOf: ({ broker }) => broker,
    advance: (ms) => clock.advance(ms),
    end: () => expect(clock.timerCount).toBe(0),
  });
}

describeBroker('MemoryBroker', createTestbed);

test('a broker alone has its own state and delivers before the publish resolves', async () => {
  await using alone = disposable(new MemoryBroker());
  await using other = disposable(new MemoryBroker());
  const events = new RecordedEvents();
  const kept = { historySize: 1, historyTtlMs: 1000, historyMetaTtlMs: 1000 };
  await alone.broker.start(events);
  await alone.broker.subscribe('x');
  const published = alone.broker.publish('x', {}, kept);
  expect(events.publications).toHaveLength(1);
  await published;
  const { position } = await other.broker.history('x', { limit: 0, historyMetaTtlMs: 1000 });
  expect(position.offset).toBe(0);
  expect(alone.broker.usage().streams).toBe(1);
});

function disposable(broker: MemoryBroker): AsyncDisposable & { readonly broker: MemoryBroker } {
  return { broker, [Symbol.asyncDispose]: () => broker.close() };
}
