/**
 * A server process that works on tasks. It writes one line on its standard output, synchronously, for
 * everything that happens to it.
 *
 * Kinds: `hold` goes on until it is stopped, `echo` returns its payload, `leaf` waits for the
 * moment that its payload names, so that several processes end at the same instant.
 */
import { writeSync } from 'node:fs';
import { delay, openStore, systemClock } from '@holdfast/store';
import { createTasks, taskModule, type TaskTables } from '@holdfast/tasks';
import { kinds } from './kinds.ts';

const [url = '', name = '', skewMs = '0', work = 'hold,echo,leaf'] = process.argv.slice(2);

function say(...words: readonly unknown[]): void {
  writeSync(1, `${words.join(' ')}\n`);
}

const clock = { ...systemClock, now: () => Date.now() + Number(skewMs) };
const store = await openStore<TaskTables>({ url, modules: [taskModule], clock });
const tasks = await createTasks({ store, kinds, sweepMs: 200, pollMs: 50 });

const handled = new Set(work.split(','));
if (handled.has('hold')) {
  tasks.handle('hold', async (task, { signal }) => {
    say('start', task.id, task.attempt);
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve());
    await promise;
    say('stop', task.id, signal.reason);
    const wrote = await tasks.complete(task, name).then(
      () => 'kept',
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    );
    say('wrote', task.id, wrote);
    throw new Error('stopped');
  });
}
if (handled.has('echo')) tasks.handle('echo', (task) => Promise.resolve([name, task.payload]));
if (handled.has('leaf')) {
  tasks.handle(
    'leaf',
    async (task) => {
      await delay(systemClock, Math.max(1, (task.payload as number) - Date.now()));
      return name;
    },
    { concurrency: 20 },
  );
}
if (handled.has('request-hold')) await tasks.request({ kind: 'hold' });
if (handled.has('request')) {
  const { id } = await tasks.request({ kind: 'echo', payload: 'killed' });
  say('requested', id);
}
await tasks.start();
say('ready');
