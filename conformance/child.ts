import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { endOwned, startOwned } from '@holdfast/store/testing/owned-process';

/** A script in a process of its own, which ends with the test at the latest. */
export interface Child {
  readonly process: ChildProcess;
  /** Every complete line of its output. */
  readonly lines: string[];
  /** Resolves when a line matches; rejects when the process ends before. */
  waitFor(pattern: RegExp): Promise<void>;
  /** Sends SIGKILL, and resolves when it is gone and everything it wrote has been read. */
  kill(): Promise<void>;
}

/**
 * @param script - absolute path of a TypeScript file
 * @param place - runs it in another place, as `ip netns exec name` does
 */
export function startChild(
  script: string,
  args: readonly string[],
  place: readonly string[] = [],
): Child {
  const node = [process.execPath, '--conditions=@holdfast/source', script];
  const [program = '', ...rest] = [...place, ...node, ...args];
  const child = startOwned(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
  const lines: string[] = [];
  let errors = '';
  const waiting = new Set<() => void>();
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const output = createInterface(child.stdout);
  output.on('line', (line) => {
    lines.push(line);
    for (const check of waiting) check();
  });
  const closed = Promise.all([once(output, 'close'), once(child, 'exit')]);
  return {
    process: child,
    lines,
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!lines.some((line) => pattern.test(line))) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        child.once('error', reject);
        child.once('exit', () => reject(new Error(`${script} ended: ${errors}`)));
        check();
      }),
    async kill() {
      await endOwned(child);
      await closed;
    },
  };
}
