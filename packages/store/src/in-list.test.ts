import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { inList } from './in-list.ts';
import { openStore } from './store.ts';
import { testBackends } from './testing/databases.ts';

/** A step of PostgreSQL's plan for a statement. */
interface PlanStep {
  readonly 'Node Type': string;
  /** How many rows the planner expects of it. */
  readonly 'Plan Rows': number;
  /** What is looked up in the index; without it, all of the index is read. */
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PlanStep[];
}

const stepsOf = (step: PlanStep): readonly PlanStep[] => [
  step,
  ...(step.Plans ?? []).flatMap(stepsOf),
];

// Fifty letters for each of two hundred users: those of a hundred are half of the table.
const letters = 10_000;
const users = 200;

test.each([
  ['texts', 'owner', (n: number): string => `user ${n}`],
  ['numbers', 'owner_number', (n: number): number => n],
] as const)(
  'PostgreSQL knows how long a list of %s is, and finds what belongs to a few in the index',
  async (_, column, valueOf) => {
    await using database = await testBackends[1]!.create();
    await using store = await openStore({ url: database.url });
    await store.transaction(async (trx) => {
      await sql`
        create temp table letters on commit drop as
        select id, 'user ' || id % ${users}::int as owner, (id % ${users}::int)::bigint as owner_number
        from generate_series(1, ${letters}::int) id`.execute(trx);
      await sql`create index on letters (${sql.ref(column)})`.execute(trx);
      await sql`analyze letters`.execute(trx);
      for (const count of [1, 3]) {
        const values = Array.from({ length: count }, (__, n) => valueOf(n)) as string[] | number[];
        const { rows } = await sql<{ 'QUERY PLAN': readonly [{ Plan: PlanStep }] }>`
          explain (format json)
          select * from letters where ${sql.ref(column)} ${inList(store.dialect, values)}`.execute(
          trx,
        );
        const plan = rows[0]!['QUERY PLAN'][0].Plan;
        const kinds = stepsOf(plan).map((step) => step['Node Type']);
        expect(kinds).not.toContain('Seq Scan');
        expect(kinds.some((kind) => /Index (?:Only )?Scan/.test(kind))).toBe(true);
        expect(plan['Plan Rows']).toBe((count * letters) / users);
      }
    });
  },
);

test('PostgreSQL looks a list up in the index of a table that it knows nothing of yet', async () => {
  await using database = await testBackends[1]!.create();
  await using store = await openStore({ url: database.url });
  await store.transaction(async (trx) => {
    await sql`create temp table letters
      (owner text, kept int, read_at bigint, archived_at bigint) on commit drop`.execute(trx);
    const isWanted = sql`kept = 1 and read_at is null and archived_at is null`;
    await sql`create index on letters (owner) where ${isWanted}`.execute(trx);
    await sql`insert into letters select 'user ' || id % ${users}::int, 1
      from generate_series(1, ${letters}::int) id`.execute(trx);
    const { rows } = await sql<{ 'QUERY PLAN': readonly [{ Plan: PlanStep }] }>`
      explain (format json) select owner, count(*) from letters
      where owner ${inList(store.dialect, ['user 3'])} and ${isWanted}
      group by owner`.execute(trx);
    const conditions = stepsOf(rows[0]!['QUERY PLAN'][0].Plan).map((step) => step['Index Cond']);
    expect(conditions.join('')).toContain('owner');
  });
});
