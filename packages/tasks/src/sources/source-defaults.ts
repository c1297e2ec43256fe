import type { ProgressUpdate } from '../progress.ts';

/** A kind's name for a queue, whatever characters that has. */
export function kindOfQueue(name: string): string {
  return name.replaceAll(/[^\w.:-]/g, '-').slice(0, 100);
}

/**
 * What jobs usually report: a percentage, or an object with one under a usual name and a message. Null
 * for anything else, and for 0, which every job starts with.
 */
export function progressOf(reported: unknown): ProgressUpdate | null {
  if (typeof reported === 'number') return reported > 0 ? { fraction: reported / 100 } : null;
  if (typeof reported !== 'object' || reported === null) return null;
  const fields = reported as Readonly<Record<string, unknown>>;
  const percent = [fields['percent'], fields['percentage'], fields['progress']].find(
    (value) => typeof value === 'number',
  );
  const { message } = fields;
  if (percent === undefined && typeof message !== 'string') return null;
  return {
    ...(percent === undefined ? {} : { fraction: percent / 100 }),
    ...(typeof message === 'string' ? { message } : {}),
  };
}
