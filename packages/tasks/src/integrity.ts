import { sql, type Transaction } from 'kysely';

interface BrokenRule {
  /** Reads after "task … ". */
  readonly says: string;
  readonly where: string;
}

/** The invariants of `task.spec.md` that one row, or a row and its neighbours, can show. */
const rules: readonly BrokenRule[] = [
  {
    says: 'runs without a lease',
    where: `state = 'running' and (expires_at is null or deadline_at is null or worker_id is null)`,
  },
  {
    says: 'is pending without a deadline',
    where: `state = 'pending' and expires_at is null`,
  },
  {
    says: 'has ended and still holds a slot, a lease or a worker',
    where: `state in ('completed', 'partial', 'failed', 'cancelled')
      and (slot is not null or expires_at is not null or worker_id is not null or ended_at is null)`,
  },
  {
    says: 'is live with a key but without a slot',
    where: `state in ('queued', 'pending', 'running', 'awaiting')
      and unique_key is not null and slot is null`,
  },
  {
    says: 'waits for children that have all ended',
    where: `state = 'awaiting' and children_open <= 0`,
  },
  {
    says: 'has ended before its children',
    where: `state in ('completed', 'partial') and children_open > 0`,
  },
  {
    says: 'counts its open children wrongly',
    where: `state in ('pending', 'running', 'awaiting') and children > 0 and children_open <> (
      select count(*) from task_links l join tasks c on c.id = l.child_id
      where l.parent_id = t.id and c.state in ('queued', 'pending', 'running', 'awaiting'))`,
  },
  {
    says: 'follows a task that is not live',
    where: `state = 'queued' and not exists (
      select 1 from tasks h where h.kind = t.kind and h.unique_key = t.unique_key
        and h.id <> t.id and h.state in ('pending', 'running', 'awaiting'))`,
  },
];

/** Problems of single tasks, with their ids. */
export async function findBrokenTasks<Tables>(
  db: Transaction<Tables>,
  limit = 100,
): Promise<readonly { readonly id: string; readonly problem: string }[]> {
  const found: { id: string; problem: string }[] = [];
  for (const { says, where } of rules) {
    const { rows } = await sql<{ id: string }>`
      select t.id from tasks t where ${sql.raw(where)} order by t.id limit ${limit}`.execute(db);
    for (const { id } of rows) found.push({ id, problem: says });
  }
  return found;
}

/** For `store.integrityCheck`. */
export async function findBrokenRules(db: Transaction<unknown>): Promise<readonly string[]> {
  const found = await findBrokenTasks(db);
  return found.map(({ id, problem }) => `task ${id} ${problem}`);
}
