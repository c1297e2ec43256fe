import { describeChannelJournal } from '@holdfast/hub/testing';
import { openStore, type Store } from '@holdfast/store';
import { ManualClock, testBackends } from '@holdfast/store/testing';
import { journalModule, type JournalTables } from './journal-module.ts';
import { StoreJournal } from './store-journal.ts';

for (const backend of testBackends) {
  describeChannelJournal(`StoreJournal on ${backend.name}`, async () => {
    const database = await backend.create();
    const clock = new ManualClock();
    const store: Store<JournalTables> = await openStore({
      url: database.url,
      modules: [journalModule],
      clock,
    });
    return {
      now: () => clock.now(),
      async addNode() {
        return new StoreJournal(store, 'node');
      },
      async advance(ms) {
        clock.advance(ms);
      },
      async [Symbol.asyncDispose]() {
        await store.close();
        await database[Symbol.asyncDispose]();
      },
    };
  });
}
