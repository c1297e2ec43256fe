import type { StoreTransaction } from '@holdfast/store';
import { sql } from 'kysely';
import type { TaskTables } from './task-module.ts';

/** Tasks of one owner wait in one line. */
export interface Line {
  readonly kind: string;
  readonly owner: string;
}

interface LineRow extends Line {
  readonly last: number | null;
  readonly first: number | null;
}

/**
 * Start-time fair queueing: a task's turn comes one after the last waiting one of its owner, and not
 * before the first waiting one of all. So owners take turns, however many tasks one of them has.
 */
export class Turns {
  readonly #trx: StoreTransaction<TaskTables>;
  /** Next turn of the lines that were looked at. */
  readonly #next = new Map<string, number>();

  constructor(trx: StoreTransaction<TaskTables>) {
    this.#trx = trx;
  }

  /** Looks at several lines at once. */
  async look(lines: readonly Line[]): Promise<void> {
    const unknown = new Map(lines.map((line) => [nameOf(line), line]));
    for (const name of this.#next.keys()) unknown.delete(name);
    if (unknown.size === 0) return;
    const list = sql.join([...unknown.values()].map(({ kind, owner }) => sql`(${kind}, ${owner})`));
    const { rows } = await sql<LineRow>`
      with line (kind, owner) as (values ${list})
      select kind, owner,
        (select max(turn) from tasks
          where tasks.kind = line.kind and tasks.owner = line.owner and state = 'pending') as last,
        (select min(turn) from tasks
          where tasks.kind = line.kind and state = 'pending') as first
      from line`.execute(this.#trx);
    for (const { last, first, ...line } of rows) {
      const start = first ?? 0;
      this.#next.set(nameOf(line), last === null ? start : Math.max(start, last + 1));
    }
  }

  /** Gives out the next turn of a line. */
  async take(line: Line): Promise<number> {
    await this.look([line]);
    const turn = this.#next.get(nameOf(line)) ?? 0;
    this.#next.set(nameOf(line), turn + 1);
    return turn;
  }
}

function nameOf({ kind, owner }: Line): string {
  return `${kind}\n${owner}`;
}
