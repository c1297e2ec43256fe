/** Longest time without pings that a client can ask for, in seconds. */
const maxQuietSeconds = 3_600;

/**
 * How long a new connection wants to be left without pings: `holdfast_quiet` of its query, in seconds.
 * Whatever else stands there counts as not asked.
 */
export function quietMsOf(query: URLSearchParams): number {
  const seconds = Number(query.get('holdfast_quiet') ?? 0);
  return Number.isInteger(seconds) && seconds > 0 && seconds <= maxQuietSeconds
    ? seconds * 1000
    : 0;
}
