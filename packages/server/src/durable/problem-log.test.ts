import { StoreError } from '@holdfast/store';
import { expect, test } from 'vitest';
import { createLogger } from '../logging.ts';
import { ProblemLog } from './problem-log.ts';

test('a store that is away is written down once in ten seconds, everything else each time', () => {
  const lines: { msg: string; level: number; suppressed?: number }[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as (typeof lines)[number]);
  const logger = createLogger({ level: 'info', destination: { write }, isPretty: false });
  let now = 0;
  const problems = new ProblemLog(logger, { monotonic: () => now });
  const told = (): unknown[] =>
    lines.splice(0).map(({ level, msg, suppressed }) => [level, msg, suppressed]);
  const away = new StoreError('store_unreachable', 'PostgreSQL cannot be reached');
  const failRequests = (): void => {
    for (let count = 0; count < 100; count += 1) {
      problems.error({ message: 'a request to the inbox failed', cause: away });
    }
  };

  failRequests();
  problems.error({
    message: 'a request to the inbox failed',
    cause: new StoreError('store_busy', 'x'),
  });
  problems.warn({ message: "the inbox's sends cannot go on", cause: away });
  expect(told()).toEqual([
    [50, 'a request to the inbox failed', 0],
    [50, 'a request to the inbox failed', 0],
    [40, "the inbox's sends cannot go on", 0],
  ]);
  // A feature that writes lines of its own.
  problems.logger.warn({ err: away, chore: 'sweep' }, 'background work failed');
  expect(told()).toEqual([]);
  now = 10_000;
  failRequests();
  expect(told()).toEqual([[50, 'a request to the inbox failed', 99]]);
  problems.logger.warn({ err: away, chore: 'sweep' }, 'background work failed');
  problems.logger.warn({ kind: 'sync' }, 'tasks wait and no worker for them is alive: start one');
  expect(told()).toEqual([
    [40, 'background work failed', 1],
    [40, 'tasks wait and no worker for them is alive: start one', undefined],
  ]);

  const damaged = { message: 'a request failed', cause: new StoreError('store_corrupt', 'x') };
  const mistake = { message: 'a request failed', cause: new TypeError('a mistake') };
  for (const problem of [damaged, damaged, mistake, mistake]) problems.error(problem);
  expect(told()).toHaveLength(4);
});
