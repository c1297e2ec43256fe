/**
 * A server process that sends until it is killed. It writes on its standard output, synchronously:
 * `a <key>` when a send is acknowledged, and `p <key> <channel> <json>` for each event it publishes.
 */
import { writeSync } from 'node:fs';
import { createInbox, inboxModule } from '@holdfast/inbox';
import { openStore } from '@holdfast/store';

const [url = '', first = '0', count = '0', bigUsers = '0'] = process.argv.slice(2);

const store = await openStore({ url, modules: [inboxModule] });
store.outbox.start({
  publish: (channel, data, { idempotencyKey }) => {
    writeSync(1, `p ${idempotencyKey} ${channel} ${Buffer.from(data).toString()}\n`);
    return Promise.resolve();
  },
});
const inbox = createInbox({
  store,
  position: () => Promise.resolve({ offset: 0, epoch: '' }),
});

function* bigList(): Generator<string> {
  for (let index = 0; index < Number(bigUsers); index += 1) yield `big${index}`;
}

let next = Number(first);
async function sendOn(): Promise<void> {
  while (next < Number(count)) {
    const key = next;
    next += 1;
    await inbox.send({
      to: { user: `u${key % 20}` },
      category: 'a',
      title: `number ${key}`,
      idempotencyKey: `k${key}`,
    });
    writeSync(1, `a ${key}\n`);
  }
}

async function sendBig(): Promise<void> {
  await inbox.send({
    to: { users: bigList() },
    category: 'big',
    title: 'to all',
    idempotencyKey: 'big',
  });
  writeSync(1, 'a big\n');
}

writeSync(1, 'ready\n');
await Promise.all([sendBig(), ...Array.from({ length: 8 }, sendOn)]);
writeSync(1, 'finished\n');
