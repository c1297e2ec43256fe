import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';

/**
 * Waits for the end of its input, which is the end of the process that it works for, however that one
 * ended; then ends the process groups that it was told of last. Stays when a terminal interrupts.
 */
const guardScript = `
trap '' HUP INT TERM
while read -r groups; do owned=$groups; done
for group in $owned; do kill -s KILL -- "-$group"; done
`;

const owned = new Set<ChildProcess>();
const shared = new WeakSet<ChildProcess>();
let guard: Socket | undefined;

function tellGuard(): void {
  if (guard === undefined) {
    const process = spawn('sh', ['-c', guardScript], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    process.unref();
    guard = process.stdin as Socket;
    guard.unref();
  }
  guard.write(`${[...owned].map(({ pid }) => pid).join(' ')}\n`);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

function spawnOwned(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  const { NODE_COMPILE_CACHE } = process.env;
  const env = options.env === undefined ? process.env : { NODE_COMPILE_CACHE, ...options.env };
  const child = spawn(command, args, { ...options, env, detached: true });
  const { pid } = child;
  // It could not be started, which its `error` event says.
  if (pid === undefined) return child;
  owned.add(child);
  tellGuard();
  child.once('exit', () => {
    killGroup(pid);
    owned.delete(child);
    tellGuard();
  });
  return child;
}

/**
 * `spawn` of `node:child_process`, for a process that never outlives this one, not even when this one
 * is killed. It leads a process group of its own, and what it starts in that group ends with it.
 *
 * What is still there at the end of a test that started it is ended by the setup file of the test run.
 * Where this process keeps compiled code (`NODE_COMPILE_CACHE`) is told to it in any environment: a Node
 * program then starts in half the time.
 */
export const startOwned = spawnOwned as typeof spawn;

/** Those that have been started, are of one test, and have not ended. */
export function ownedProcesses(): readonly ChildProcess[] {
  return [...owned].filter((child) => !shared.has(child));
}

/** Says that a process is of all tests of a file, though one of them has started it. */
export function shareOwned(child: ChildProcess): void {
  shared.add(child);
}

/** Ends one at once (`SIGKILL`), with all that it started. Resolves when it is gone. */
export async function endOwned(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  killGroup(child.pid);
  await gone;
}
