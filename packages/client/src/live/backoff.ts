import { ClientError } from '../client-error.ts';
import type { Environment } from '../environment.ts';

/** Pauses between attempts over HTTP: full jitter below a limit that doubles. */
export interface Backoff {
  /** @defaultValue 500 */
  readonly minDelayMs: number;
  /** @defaultValue 20000 */
  readonly maxDelayMs: number;
}

export const defaultBackoff: Backoff = { minDelayMs: 500, maxDelayMs: 20_000 };

/**
 * At least what the server asked for, and more by chance, so that not all come back at once.
 *
 * @param attempt how many have failed before the newest one
 */
export function pauseMs(
  attempt: number,
  {
    backoff,
    environment,
    error,
  }: {
    readonly backoff: Backoff;
    readonly environment: Environment;
    /** What the newest one failed with. */
    readonly error?: unknown;
  },
): number {
  const { minDelayMs, maxDelayMs } = backoff;
  const asked = error instanceof ClientError ? (error.details.retryAfterMs ?? 0) : 0;
  return (
    asked + environment.random() * Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(attempt, 30))
  );
}
