/** A pg-boss worker that starts jobs and never ends them. It says which on its standard output. */
import { writeSync } from 'node:fs';
import { PgBoss } from 'pg-boss';

const [url = '', queue = ''] = process.argv.slice(2);
const boss = new PgBoss({ connectionString: url, supervise: false });
await boss.start();
await boss.work(queue, { pollingIntervalSeconds: 0.5 }, async ([job]) => {
  writeSync(1, `start ${job?.id}\n`);
  await new Promise(() => {});
});
writeSync(1, 'ready\n');
