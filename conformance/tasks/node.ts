/**
 * A server process that works on tasks. It writes one line on its standard output, synchronously, for
 * everything that happens to it.
 *
 * Kinds: `hold`, `mute` and `calm` go on until they are stopped, `echo` returns its payload, `leaf` waits
 * for the moment that the first line of the input names (Unix milliseconds), so that several processes end
 * theirs at the same instant, `block` keeps
 * the whole process busy for that many milliseconds, `brink` ends that many milliseconds after
 * its lease, `flood` writes that many bytes of output. A work of `publish` publishes what happens
 * where this process is the leader, one of `request-<kind>` requests one task of that kind with the
 * payload of the fifth argument.
 */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { delay, openStore, systemClock } from '@holdfast/store';
import { createTasks, taskModule, type TaskHandler, type TaskTables } from '@holdfast/tasks';
import { kinds } from './kinds.ts';

const [url = '', name = '', skewMs = '0', work = 'hold,echo,leaf', payload = 'null'] =
  process.argv.slice(2);

function say(...words: readonly unknown[]): void {
  writeSync(1, `${words.join(' ')}\n`);
}

const moment = once(createInterface(process.stdin), 'line').then(([line]) => Number(line));
const clock = { ...systemClock, now: () => Date.now() + Number(skewMs) };
const store = await openStore<TaskTables>({ url, modules: [taskModule], clock });
const tasks = await createTasks({ store, kinds, sweepMs: 200, pollMs: 50 });

/** Says what became of it, and tries to write after its end. */
const hold: TaskHandler = async (task, { signal }) => {
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
};

const handlers: Readonly<Record<string, TaskHandler>> = {
  hold,
  mute: hold,
  steady: hold,
  calm: hold,
  joined: hold,
  brink: async (task) => {
    if (task.attempt === 1) {
      const leftMs = task.expiresAt - task.now + (task.payload as number);
      await delay(systemClock, leftMs - 10);
    }
    return name;
  },
  echo: (task) => {
    say('echoed', JSON.stringify(task.payload));
    return Promise.resolve([name, task.payload]);
  },
  leaf: async () => {
    await delay(systemClock, Math.max(1, (await moment) - Date.now()));
    return name;
  },
  block: async (task, { signal }) => {
    say('start', task.id, task.attempt);
    if (task.attempt > 1) {
      say('done', task.attempt);
      return name;
    }
    const until = performance.now() + (task.payload as number);
    while (performance.now() < until);
    say('yields', task.id);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    say('stop', task.id, signal.reason);
    throw new Error('stopped');
  },
  flood: (task, { output }) => {
    const text = 'x'.repeat(1_048_576);
    let refused = 0;
    for (let bytes = 0; bytes < (task.payload as number); bytes += text.length) {
      if (!output(text)) refused += 1;
    }
    say('flooded', refused, Math.round(process.memoryUsage.rss() / 1_048_576));
    return Promise.resolve(refused);
  },
};

for (const one of work.split(',')) {
  const handler = handlers[one];
  if (handler !== undefined) tasks.handle(one, handler, { concurrency: 20 });
  const [, requested] = /^request-(\w+)$/.exec(one) ?? [];
  if (requested === undefined) continue;
  const { id } = await tasks.request({ kind: requested, payload: JSON.parse(payload) });
  say('requested', id);
}
// A process whose outbox is not started publishes nothing, also where it is the leader.
if (work.split(',').includes('publish')) {
  store.outbox.start({
    publish: (channel, data) => {
      const { changes = [] } = JSON.parse(Buffer.from(data).toString()) as {
        readonly changes?: readonly string[];
      };
      say('published', channel, changes.join(','));
      return Promise.resolve();
    },
  });
}
await tasks.start();
say('ready');
