/**
 * A server process that stands still at one moment of its background work, and says so, so that it can
 * be killed exactly there: in the second full batch of a retention job, which is not committed yet, or
 * when the mail server has taken a mail and nothing is written down.
 */
import { writeSync } from 'node:fs';
import { createEmailTarget, createInbox, inboxModule } from '@holdfast/inbox';
import { createStoreJournals, journalModule } from '@holdfast/journal';
import { openStore, systemClock, type RetentionJob } from '@holdfast/store';

const [url = '', now = '', moment = '', mailUrl = ''] = process.argv.slice(2);
/** Timers run down fast, so that what is done every minute is done soon; deadlines would, too. */
const haste = 100;
const never = 2_000_000_000;
const store = await openStore({
  url,
  modules: [inboxModule, journalModule],
  clock: {
    now: () => Number(now),
    monotonic: () => performance.now(),
    every: (intervalMs, callback) => systemClock.every(Math.ceil(intervalMs / haste), callback),
  },
  transactionTimeoutMs: never,
  maxWaitMs: never,
  postgres: { leaderTimeoutMs: 0 },
});

const standStill = (): Promise<never> => {
  writeSync(1, 'here\n');
  return new Promise(() => undefined);
};

const { retention } = store;
const add = retention.add.bind(retention);
let fullBatches = 0;
retention.add = <Tables>(job: RetentionJob<Tables>): void =>
  add<Tables>({
    ...job,
    async deleteBatch(transaction, options) {
      const deleted = await job.deleteBatch(transaction, options);
      if (job.name === moment && deleted >= options.limit) fullBatches += 1;
      return fullBatches === 2 ? standStill() : deleted;
    },
  });

const mail = createEmailTarget({
  url: mailUrl || 'smtp://127.0.0.1:1',
  from: 'no-reply@example.com',
  addressOf: (user) => `${user}@example.com`,
});
store.outbox.start({ publish: () => Promise.resolve() });
createStoreJournals(store.withTables(), { node: 'a' });
const inbox = createInbox({
  store,
  position: () => Promise.resolve({ offset: 0, epoch: '' }),
  categories: { mailed: { email: true, escalateAfterMs: 0 } },
  escalation: {
    timeoutMs: never,
    email: {
      async deliver(attempt) {
        await mail.deliver(attempt);
        await standStill();
      },
    },
  },
});
if (mailUrl !== '') await inbox.send({ to: { user: 'ann' }, category: 'mailed', title: 'fire' });
