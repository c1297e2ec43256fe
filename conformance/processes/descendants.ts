import { readdirSync, readFileSync } from 'node:fs';

/** A process, which its number alone does not name for ever. */
export interface KnownProcess {
  readonly pid: number;
  readonly parent: number;
  readonly startedAt: string;
  readonly command: string;
}

/** All that run now, without those that are dead and whose parents have not noticed. */
export function runningProcesses(): readonly KnownProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    let stat: string;
    try {
      stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    } catch {
      return [];
    }
    // `pid (command) state parent …`, and a command can have spaces and brackets in it.
    const end = stat.lastIndexOf(')');
    const [state = '', parent = '', ...rest] = stat.slice(end + 2).split(' ');
    if (state === 'Z' || state === 'X') return [];
    return [
      {
        pid: Number(name),
        parent: Number(parent),
        startedAt: rest[17] ?? '',
        command: stat.slice(stat.indexOf('(') + 1, end),
      },
    ];
  });
}

/** Everything that a process started, and that they started. */
export function descendantsOf(pid: number): readonly KnownProcess[] {
  const all = runningProcesses();
  const found: KnownProcess[] = [];
  const visit = (one: number): void => {
    for (const process of all) {
      if (process.parent !== one) continue;
      found.push(process);
      visit(process.pid);
    }
  };
  visit(pid);
  return found;
}
