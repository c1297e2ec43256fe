import type { Environment } from '../environment.ts';

/** Pauses between attempts over HTTP: full jitter below a limit that doubles. */
export interface Backoff {
  /** @defaultValue 500 */
  readonly minDelayMs: number;
  /** @defaultValue 20000 */
  readonly maxDelayMs: number;
}

export const defaultBackoff: Backoff = { minDelayMs: 500, maxDelayMs: 20_000 };

/** @param attempt how many have failed before the newest one */
export function pauseMs(
  attempt: number,
  { backoff, environment }: { readonly backoff: Backoff; readonly environment: Environment },
): number {
  const { minDelayMs, maxDelayMs } = backoff;
  return environment.random() * Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(attempt, 30));
}
