import path from 'node:path';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { expect, test, vi } from 'vitest';
import { descendantsOf, runningProcesses } from './descendants.ts';

const root = path.resolve(import.meta.dirname, '../..');

test('processes end with the test that started them, and with a test run that is killed', async () => {
  // The run is not the leader of its group, which nobody ends here before the end of this test.
  const config = path.join(import.meta.dirname, 'vitest.config.ts');
  const shell = startOwned('sh', ['-c', 'vitest run --config "$0" & sleep 1000', config], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  await vi.waitFor(() => expect(output).toContain('everything runs: '));
  expect(output).toContain('after the slow one: 0 processes');
  expect(output).toContain('after the failed one: 0 processes');

  const started = descendantsOf(shell.pid ?? 0).filter(({ parent }) => parent !== shell.pid);
  const commands = started.map(({ command }) => command);
  for (const program of ['sh', 'sleep', 'postgres', 'redis-server', 'nginx', 'chromium']) {
    expect(commands).toContain(program);
  }
  const run = descendantsOf(shell.pid ?? 0).find(
    ({ pid, parent }) => parent === shell.pid && started.some(({ parent }) => parent === pid),
  );
  process.kill(run?.pid ?? 0, 'SIGKILL');
  await vi.waitFor(() => {
    const running = runningProcesses();
    const left = started.filter(({ pid, startedAt }) =>
      running.some((one) => one.pid === pid && one.startedAt === startedAt),
    );
    expect(left).toEqual([]);
  });
});
