/** A BullMQ worker that starts jobs and never ends them. It says which on its standard output. */
import { writeSync } from 'node:fs';
import { Worker } from 'bullmq';

const [port = '', queue = ''] = process.argv.slice(2);
const worker = new Worker(
  queue,
  async (job) => {
    writeSync(1, `start ${job.id}\n`);
    await new Promise(() => {});
  },
  {
    connection: { host: '127.0.0.1', port: Number(port) },
    lockDuration: 1000,
    stalledInterval: 500,
  },
);
await worker.waitUntilReady();
writeSync(1, 'ready\n');
