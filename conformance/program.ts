import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { startOwned } from '@holdfast/store/testing/owned-process';

const entry = path.resolve(import.meta.dirname, '../packages/server/src/main.ts');

/** The `holdfast` program, running. */
export interface Program {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  /** What it has written so far. */
  readonly output: { out: string; err: string };
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Resolves when something that matches has been written, with the match. */
  seen(pattern: RegExp): Promise<RegExpExecArray>;
}

export interface ProgramOptions {
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Starts the program as `npm start` does, with nothing of this process's environment that could
 * configure it. It ends with the test at the latest.
 */
export function startProgram(
  args: readonly string[],
  { cwd, environment = {} }: ProgramOptions,
): Program {
  const child = startOwned(process.execPath, ['--conditions=@holdfast/source', entry, ...args], {
    cwd,
    // As in a CI job: what goes to a pipe must have no colors there either.
    env: { PATH: process.env.PATH, CI: 'true', ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.err += chunk.toString()));
  const ended = endOf(child);
  return {
    process: child,
    output,
    ended,
    seen: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(output.out) ?? pattern.exec(output.err);
          if (match !== null) resolve(match);
        };
        child.stdout.on('data', look);
        child.stderr.on('data', look);
        child.on('close', () => {
          reject(new Error(`ended without ${pattern}:\n${output.out}${output.err}`));
        });
        look();
      }),
  };
}

async function endOf(child: Program['process']): Promise<number | NodeJS.Signals> {
  await once(child, 'close');
  return child.exitCode ?? child.signalCode ?? 'SIGKILL';
}
