const minutesOfDay = 24 * 60;

/**
 * Minutes until daily quiet hours end, by the clock of their zone, also where that is set to summer
 * time or back meanwhile; 0 outside of them.
 * @param quiet - minutes of the day; `from` may be later than `to`, over midnight
 * @param now - Unix milliseconds
 */
export function quietMinutesLeft(
  quiet: { readonly from: number; readonly to: number; readonly timeZone: string },
  now: number,
): number {
  const { from, to, timeZone } = quiet;
  const minute = minuteOfDay(timeZone, now);
  const isQuiet = from <= to ? minute >= from && minute < to : minute >= from || minute < to;
  if (!isQuiet) return 0;
  const left = (to - minute + minutesOfDay) % minutesOfDay;
  return left + shiftOf(timeZone, now + left * 60_000, to);
}

/**
 * Minutes that are missing until the clock of the zone shows `minute`: none, unless it was set within
 * the hours before (60 where summer time ended). 0 on the day on which it never shows that.
 */
function shiftOf(timeZone: string, time: number, minute: number): number {
  const shown = minuteOfDay(timeZone, time);
  const halfDay = minutesOfDay / 2;
  const missing = ((minute - shown + halfDay + minutesOfDay) % minutesOfDay) - halfDay;
  return minuteOfDay(timeZone, time + missing * 60_000) === minute ? missing : 0;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function minuteOfDay(timeZone: string, now: number): number {
  // However they are written, there are about 600 zones, and 2,880 offsets: a cache of them needs no other bound.
  const name = timeZone.toLowerCase();
  let format = formats.get(name);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' });
    formats.set(name, format);
  }
  const [hours = '0', minutes = '0'] = format.format(now).split(':');
  return (Number(hours) % 24) * 60 + Number(minutes);
}
