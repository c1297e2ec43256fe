/**
 * The application message of every workload: a JSON object of an exact size that carries its number
 * and the time at which it was published.
 *
 * @module
 */

/** A clock that all processes of one machine share, in microseconds (CLOCK_MONOTONIC). */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

export interface BenchMessage {
  /** Counts from 1 in each server process. */
  readonly number: number;
  /** {@link monotonicUs} in the server process just before publishing. */
  readonly stampUs: number;
}

/** JSON text of exactly `bytes` bytes, stamped now. */
export function benchMessage(number: number, bytes: number): string {
  const head = `{"number":${number},"stampUs":${monotonicUs()},"padding":"`;
  const padding = bytes - head.length - 2;
  if (padding < 0) throw new Error(`A message of ${bytes} bytes is too small: ${head.length + 2}`);
  return `${head}${'x'.repeat(padding)}"}`;
}
