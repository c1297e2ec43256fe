import { expect, test } from 'vitest';
import { MemoryPresenceStore } from './memory-presence-store.ts';
import type { PresenceStore } from '../ports/presence-store.ts';
import { describePresenceStore } from '../testing/describe-presence-store.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { clientInfo, type PortTestbed } from '../testing/port-testbed.ts';

async function createTestbed(): Promise<PortTestbed<PresenceStore>> {
  const clock = new ManualClock();
  const store = new MemoryPresenceStore({ clock });
  return {
    addNode: async () => store,
    async advance(ms) {
      clock.advance(ms);
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      expect(clock.timerCount).toBe(0);
    },
  };
}

describePresenceStore('MemoryPresenceStore', createTestbed);

test('nothing is left of channels whose clients are gone or expired', async () => {
  const clock = new ManualClock();
  const store = new MemoryPresenceStore({ clock });
  for (let count = 0; count < 100; count += 1) {
    await store.add(`left${count}`, clientInfo('c1'), 1000);
    await store.add(`expired${count}`, clientInfo('c1'), 1000);
    await store.remove(`left${count}`, clientInfo('c1'));
  }
  expect(store.channelCount).toBe(100);
  clock.advance(2000);
  expect(store.channelCount).toBe(0);
  await store.close();
});
