/** A worker over WebSocket in a process of its own. It says what happens on its standard output. */
import { writeSync } from 'node:fs';
import { startWorker, type WorkerHandler } from '@holdfast/client/worker';
import { WebSocket } from 'ws';

const [url = '', token = '', name = ''] = process.argv.slice(2);

function say(...words: readonly unknown[]): void {
  writeSync(1, `${words.join(' ')}\n`);
}

const handler: WorkerHandler = async (task, { signal, progress, output, checkpoint }) => {
  say('start', task.id, task.attempt, JSON.stringify(task.checkpoint));
  await progress({ fraction: 0.5, message: 'half-way' });
  await output('a line\n');
  await checkpoint({ page: task.attempt });
  if (task.payload === 'hold') {
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    say('stop', task.id, signal.reason);
    await checkpoint('last words').catch(() => say('refused', task.id));
    throw new Error('stopped');
  }
  if (task.payload === 'bad') throw Object.assign(new Error('never'), { retryable: false });
  return name;
};

const worker = startWorker({
  url,
  token,
  name,
  websocket: WebSocket,
  onProblem: (error) => say('problem', (error as Error).message),
  kinds: {
    report: handler,
    steady: handler,
  },
});
process.once('SIGTERM', () => void worker.close().then(() => say('closed')));
say('ready');
