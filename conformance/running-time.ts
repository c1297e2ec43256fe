import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { delay, systemClock } from '@holdfast/store';
import { onTestFinished } from 'vitest';

const stepMs = 10;
/** A step with a write to the disk takes this long at most where nothing stands still. */
const longestStepMs = 50;

/**
 * Time in which the machine runs: it stands still while this process or the disk does, so that a bound
 * on it holds also where either stalls for seconds. On a quiet machine it is as long as any other.
 */
export interface RunningTime {
  /** Since it was started. */
  readonly elapsedMs: number;
}

/** Starts to measure, to the end of the test. */
export async function startRunningTime(): Promise<RunningTime> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-time-'));
  const file = await open(path.join(folder, 'probe'), 'w');
  const stop = new AbortController();
  let elapsedMs = 0;
  let steppedAt = performance.now();
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await file.write('.', 0);
      await file.datasync();
      await delay(systemClock, stepMs);
      const now = performance.now();
      elapsedMs += Math.min(now - steppedAt, longestStepMs);
      steppedAt = now;
    }
  };
  const running = run();
  onTestFinished(async () => {
    stop.abort();
    await running;
    await file.close();
    rmSync(folder, { recursive: true });
  });
  return {
    get elapsedMs() {
      return elapsedMs;
    },
  };
}
