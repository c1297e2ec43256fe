import {
  type Arbitrary,
  array,
  assert,
  asyncProperty,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  record,
} from 'fast-check';
import { testBackends } from '@holdfast/store/testing';
import { describe, expect, test } from 'vitest';
import { openBench, type Bench } from './testing/bench.ts';
import { Witness, type Step } from './testing/witness.ts';

const natural = nat(1000);
const key = nat(3);
const single: Arbitrary<Step> = oneof(
  record({
    do: constant('request' as const),
    key,
    isForced: constant(false),
    delayMs: constantFrom(0, 0, 500),
  }),
  record({
    do: constant('request' as const),
    key,
    isForced: constant(true),
    delayMs: constant(0),
  }),
  record({ do: constant('child' as const), key, of: natural }),
  record({ do: constant('claim' as const), limit: integer({ min: 1, max: 3 }) }),
  record({
    do: constantFrom('beat', 'progress', 'output', 'complete', 'fail', 'release', 'cancel'),
    of: natural,
  }),
  record({ do: constantFrom('beat', 'complete', 'fail'), of: natural }),
  record({
    do: constant('sleep' as const),
    ms: constantFrom(1, 500, 3000, 11_000, 70_000),
  }),
  record({ do: constant('sweep' as const) }),
);
const step: Arbitrary<Step> = oneof(
  { weight: 5, arbitrary: single },
  {
    weight: 1,
    arbitrary: record({
      do: constant('together' as const),
      steps: array(single, { minLength: 2, maxLength: 6 }),
    }),
  },
);

async function empty({ store }: Bench): Promise<void> {
  await store.transaction(async (trx) => {
    for (const table of ['tasks', 'task_links', 'task_output'] as const) {
      await trx.deleteFrom(table).execute();
    }
    await trx.withTables<{ outbox: object }>().deleteFrom('outbox').execute();
  });
}

describe.each(testBackends)('any interleaving on $name', (backend) => {
  test('of requests, workers, crashes, sweeps and cancels keeps the invariants, and ends', async () => {
    await using database = await backend.create();
    await using bench = await openBench(database);
    await assert(
      asyncProperty(array(step, { maxLength: 40 }), async (steps) => {
        await empty(bench);
        await bench.tasks.noteWorker({ id: 'w', kinds: ['model'] });
        const witness = new Witness(bench);
        for (const one of steps) await witness.apply(one);
        await witness.drain();
        await witness.checkEnd();
        expect(await bench.tasks.list({ phase: 'live' })).toEqual([]);
      }),
      { numRuns: backend.name === 'SQLite' ? 60 : 6 },
    );
  }, 180_000);
});
