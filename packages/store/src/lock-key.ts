import { createHash } from 'node:crypto';

/** The number of an advisory lock, from its name. Two names share one with a chance of 2^-64. */
export function lockKey(name: string): bigint {
  return createHash('sha256').update(name).digest().readBigInt64BE();
}

/** The lock that the leader of a PostgreSQL store holds, as long as it leads. */
export function leaderKey(schema: string): bigint {
  return lockKey(`holdfast:${schema}:leader`);
}
