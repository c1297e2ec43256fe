import { expect } from 'vitest';
import type { Broker } from '../ports/broker.ts';
import type { MapBroker } from '../ports/map-broker.ts';
import type { BrokerTestbed } from '../testing/broker-testbed.ts';
import { describeBroker } from '../testing/describe-broker.ts';
import { describeMapBroker } from '../testing/describe-map-broker.ts';
import { createLinkedNodes } from '../testing/linked-nodes.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import type { MapBrokerTestbed } from '../testing/map-testbed.ts';
import { JournalDisk, MemoryJournal } from '../testing/memory-journal.ts';
import { createMemoryNetwork, type MemoryNode } from '../testing/memory-network.ts';
import type { LinkedTestbed } from '../testing/port-testbed.ts';

async function createTestbed<Port extends Broker | MapBroker>(
  portOf: (node: MemoryNode) => Port,
): Promise<LinkedTestbed<Port>> {
  const clock = new ManualClock();
  const journaling = {
    journal: new MemoryJournal(new JournalDisk(), clock),
    isDurable: () => true,
  };
  return createLinkedNodes({
    network: createMemoryNetwork({ clock, streams: journaling, maps: journaling }),
    portOf,
    async advance(ms) {
      clock.advance(ms);
      // What expired is removed when the journal has it.
      await new Promise((resolve) => setImmediate(resolve));
    },
    end: () => expect(clock.timerCount).toBe(0),
  });
}

describeBroker('MemoryBroker with a journal', (): Promise<BrokerTestbed> =>
  createTestbed<Broker>(({ broker }) => broker),
);
describeMapBroker('MemoryMapBroker with a journal', (): Promise<MapBrokerTestbed> =>
  createTestbed<MapBroker>(({ maps }) => maps),
);
