import { expect, test } from 'vitest';
import { describeRevocationStore } from '../testing/describe-revocation-store.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { MemoryRevocationStore } from './memory-revocation-store.ts';

describeRevocationStore('MemoryRevocationStore', async () => {
  const clock = new ManualClock();
  const store = new MemoryRevocationStore({ clock });
  return {
    addNode: async () => store,
    async advance(ms) {
      clock.advance(ms);
    },
    async [Symbol.asyncDispose]() {
      await store.close();
    },
  };
});

test('what has expired is forgotten after an hour', async () => {
  const clock = new ManualClock();
  const store = new MemoryRevocationStore({ clock });
  let most = 0;
  for (let token = 0; token < 10_000; token += 1) {
    const now = clock.now();
    const expireAt = Math.floor(now / 1000) + 60;
    await store.put({ kind: 'token', subject: String(token), expireAt, changedAt: now });
    clock.advance(10_000);
    if (token % 100 === 0) most = Math.max(most, (await store.load()).length);
  }
  // 360 are made in an hour, and the least number at which it pays to look is 1024.
  expect(most).toBeLessThanOrEqual(1_024);
});
