import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { endOwned, shareOwned, startOwned } from '@holdfast/store/testing/owned-process';

const main = path.resolve(import.meta.dirname, '../packages/server/src/main.ts');

/** `holdfast serve` in a process of its own, on a free port of 127.0.0.1. It ends with the test at the latest. */
export interface ServerProcess {
  readonly url: string;
  readonly websocketUrl: string;
  readonly nodeId: string;
  readonly pid: number;
  /** The values of a metric, all label sets added up. */
  metric(name: string): Promise<number>;
  /** SIGKILL: no chance to do anything. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** Sends a signal that does not end it, such as SIGSTOP. */
  signal(name: NodeJS.Signals): void;
  /** SIGTERM. Resolves when the process has ended in order, with its exit code. */
  stop(): Promise<number | null>;
}

/** Where a server runs. */
export interface ServerPlace {
  /** For its configuration; what is given there goes before it. @defaultValue 127.0.0.1 */
  readonly address?: string;
  /** Starts it in another place, as `ip netns exec name` does. @defaultValue none */
  readonly command?: readonly string[];
  /** It is of all tests of a file, though one of them starts it. @defaultValue false */
  readonly isShared?: boolean;
}

/** @param folder - where the configuration file and the data folder are; the same one after a restart. */
export async function startServerProcess(
  folder: string,
  config: object,
  { command = [], isShared = false }: Omit<ServerPlace, 'address'> = {},
): Promise<ServerProcess> {
  const file = path.join(folder, 'config.json');
  const sections = {
    http_server: { address: '127.0.0.1', port: 0 },
    prometheus: { enabled: true },
    data_dir: path.join(folder, 'data'),
    ...config,
  };
  writeFileSync(file, JSON.stringify(sections));
  const program = ['--conditions=@holdfast/source', main, 'serve', '--config', file];
  const [first = '', ...rest] = [...command, process.execPath, ...program];
  const child = startOwned(first, rest, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  if (isShared) shareOwned(child);
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const { addresses, node } = await runningLine(child);
  const url = addresses[0] ?? '';
  return {
    url,
    websocketUrl: `${url.replace('http', 'ws')}/connection/websocket`,
    nodeId: node,
    pid: child.pid ?? 0,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const lines = text.split('\n').filter((line) => /^[^#\s{]+/.exec(line)?.[0] === name);
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    },
    kill: () => endOwned(child),
    signal: (name) => void child.kill(name),
    async stop() {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}

interface RunningLine {
  readonly addresses: readonly string[];
  readonly node: string;
}

/** The log line that says where the server listens. */
function runningLine(child: ChildProcess): Promise<RunningLine> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface(stream).on('line', (line) => {
        lines.push(line);
        if (!line.includes('the server is running')) return;
        resolve(JSON.parse(line) as RunningLine);
      });
    }
    child.once('exit', () => reject(new Error(`the server ended:\n${lines.join('\n')}`)));
  });
}
