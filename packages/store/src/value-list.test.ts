import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { openStore } from './store.ts';
import { testBackends } from './testing/databases.ts';
import { valueList } from './value-list.ts';

/** A step of PostgreSQL's plan for a statement. */
interface PlanStep {
  readonly 'Node Type': string;
  /** How many rows the planner expects of it. */
  readonly 'Plan Rows': number;
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
          select * from letters where ${sql.ref(column)} in ${valueList(store.dialect, values)}`.execute(
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
