import type { Clock } from '../clock.ts';

/** When something ends, in Unix milliseconds: monotonic times mean nothing to the next process. */
export function toUnix(deadline: number, clock: Clock): number {
  return Math.round(clock.now() + deadline - clock.monotonic());
}

/** The monotonic time of a moment; in the past when it is over. */
export function toMonotonic(unix: number, clock: Clock): number {
  return clock.monotonic() + unix - clock.now();
}
