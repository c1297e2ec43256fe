import { delay, type Clock, type Store } from '@holdfast/store';
import { sql } from 'kysely';
import type { TaskTables } from './task-module.ts';

/** A time that all nodes of one database agree on. */
export interface SharedTime {
  /** Unix milliseconds. */
  now(): number;
  /** Compares with the database again. */
  measure(): Promise<void>;
}

const goodEnoughMs = 20;
const tries = 5;

/**
 * The database's time, so that nodes whose clocks differ agree on when a lease ends: measured now and
 * then, and carried on by a clock that never jumps in between. It is as exact as half a round trip.
 * On SQLite there is one process, and its clock is the time.
 */
export async function openSharedTime(store: Store<TaskTables>, clock: Clock): Promise<SharedTime> {
  if (store.dialect === 'sqlite') {
    return { now: () => clock.now(), measure: () => Promise.resolve() };
  }
  let offset = 0;
  const measure = async (): Promise<void> => {
    let best = Infinity;
    for (let attempt = 0; attempt < tries && best > goodEnoughMs; attempt += 1) {
      if (attempt > 0) await delay(clock, 5);
      const sample = await store.read(async (db) => {
        const before = clock.monotonic();
        const { rows } = await sql<{ now: number }>`
          select (extract(epoch from clock_timestamp()) * 1000)::bigint as now`.execute(db);
        const after = clock.monotonic();
        return { tripMs: after - before, middle: (before + after) / 2, now: Number(rows[0]?.now) };
      });
      if (sample.tripMs >= best) continue;
      best = sample.tripMs;
      offset = sample.now - sample.middle;
    }
  };
  await measure();
  return { now: () => Math.round(clock.monotonic() + offset), measure };
}
