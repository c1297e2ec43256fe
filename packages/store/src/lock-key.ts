import { createHash } from 'node:crypto';

/** The number of an advisory lock, from its name. Two names share one with a chance of 2^-64. */
export function lockKey(name: string): bigint {
  return createHash('sha256').update(name).digest().readBigInt64BE();
}
