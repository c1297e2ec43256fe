import { describeChannelJournal } from './describe-channel-journal.ts';
import { ManualClock } from './manual-clock.ts';
import { JournalDisk, MemoryJournal } from './memory-journal.ts';

describeChannelJournal('MemoryJournal', async () => {
  const clock = new ManualClock();
  const disk = new JournalDisk();
  return {
    now: () => clock.now(),
    async addNode() {
      return new MemoryJournal(disk, clock);
    },
    async advance(ms) {
      clock.advance(ms);
    },
    async [Symbol.asyncDispose]() {},
  };
});
