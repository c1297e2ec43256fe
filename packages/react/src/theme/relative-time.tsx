import { type ReactNode, useSyncExternalStore } from 'react';

const minuteMs = 60_000;
const units = [
  ['year', 365 * 24 * 60 * minuteMs],
  ['month', 30 * 24 * 60 * minuteMs],
  ['week', 7 * 24 * 60 * minuteMs],
  ['day', 24 * 60 * minuteMs],
  ['hour', 60 * minuteMs],
  ['minute', minuteMs],
] as const;

/** One clock for all times on the page, which stands still when there are none. */
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let now = Date.now();

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const tell of listeners) tell();
    }, minuteMs / 2);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

const readMinute = (): number => Math.floor(now / (minuteMs / 2));

/** Unix milliseconds, which the component that uses it is drawn anew with each half of a minute. */
export function useNow(): number {
  useSyncExternalStore(subscribe, readMinute, readMinute);
  return Date.now();
}

export interface RelativeTimeProps {
  /** Unix milliseconds. */
  readonly at: number;
  /** BCP 47. @defaultValue the browser's language */
  readonly locale?: string | undefined;
}

interface Formats {
  readonly exact: Intl.DateTimeFormat;
  readonly relative: Intl.RelativeTimeFormat;
}

/** Of as many languages as a page is in. To make one costs more than to draw what it gives. */
const formats = new Map<string | undefined, Formats>();

function formatsOf(locale: string | undefined): Formats {
  let known = formats.get(locale);
  if (known === undefined) {
    known = {
      exact: new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short' }),
      relative: new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' }),
    };
    formats.set(locale, known);
  }
  return known;
}

/** How long ago something was, in words that stay true, with the exact time beside. */
export function RelativeTime({ at, locale }: RelativeTimeProps): ReactNode {
  const now = useNow();
  const { exact, relative } = formatsOf(locale);
  return (
    <time dateTime={new Date(at).toISOString()} title={exact.format(at)} dir="auto">
      {relativeTime(at, { now, format: relative })}
    </time>
  );
}

/** Never in the future: clocks of server and browser differ. */
function relativeTime(
  at: number,
  { now, format }: { readonly now: number; readonly format: Intl.RelativeTimeFormat },
): string {
  const agoMs = Math.max(0, now - at);
  for (const [unit, lengthMs] of units) {
    if (agoMs >= lengthMs) return format.format(-Math.floor(agoMs / lengthMs), unit);
  }
  return format.format(0, 'second');
}
