/**
 * A server process that writes as fast as it can, until it is killed. It writes on its standard
 * output, synchronously: `a <id>` when a transaction is acknowledged, and `p <key> <json>` for each
 * event it publishes, so that the parent is both the witness and the broker.
 */
import { writeSync } from 'node:fs';
import { openStore, type Store } from '@holdfast/store';
import { journalModule, type JournalTables } from './journal.ts';

const [url, name, writers] = process.argv.slice(2);

async function write(store: Store<JournalTables>, writer: string): Promise<void> {
  for (let number = 1; ; number += 1) {
    const id = store.ids.next();
    await store.transaction(async (trx) => {
      await trx.insertInto('entries').values({ id, half: 1, writer, number }).execute();
      store.outbox.append(trx, { channel: writer, data: { id, number } });
      await trx.insertInto('entries').values({ id, half: 2, writer, number }).execute();
    });
    writeSync(1, `a ${id}\n`);
  }
}

const store = await openStore<JournalTables>({ url: url ?? '', modules: [journalModule] });
store.outbox.start({
  publish: (channel, data, { idempotencyKey }) => {
    writeSync(1, `p ${idempotencyKey} ${channel} ${Buffer.from(data).toString()}\n`);
    return Promise.resolve();
  },
});
writeSync(1, 'ready\n');
await Promise.all(
  Array.from({ length: Number(writers) }, (_, index) => write(store, `${name}-${index}`)),
);
