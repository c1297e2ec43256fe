import { randomFillSync } from 'node:crypto';
import type { Clock } from './clock.ts';

/** Makes ids for ordered rows. */
export interface IdSource {
  /** A UUIDv7 that is greater, compared as text, than every id this source made before. */
  next(): string;
}

/** What ids are made from. */
export interface IdSourceOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Fills the array with random bytes. @defaultValue the system's secure source */
  readonly random?: (bytes: Uint8Array) => void;
  /** Ids continue above this one, for example the newest one stored before a restart. */
  readonly after?: string;
}

const counterBits = 26;
const counterLimit = 2 ** counterBits;
const maxTimestamp = 2 ** 48 - 1;

/**
 * Makes UUIDv7 ids (RFC 9562 §5.7): 48 bits of Unix milliseconds, a counter of 26 bits that starts
 * at a random value below half its range every millisecond (RFC 9562 §6.2, method 1), 48 random bits.
 *
 * Ids of one source always increase: while the clock stands still or goes backwards the counter goes
 * on, and when the counter is used up the timestamp runs ahead of the clock. Ids of several sources
 * are unique, and ordered by time as well as their clocks agree.
 */
export function createIdSource(options: IdSourceOptions): IdSource {
  const fill = options.random ?? randomPool();
  const bytes = new Uint8Array(10);
  let timestamp = -1;
  let counter = 0;
  if (options.after !== undefined) ({ timestamp, counter } = parse(options.after));

  return {
    next() {
      fill(bytes);
      const now = Math.min(Math.max(Math.trunc(options.clock.now()), 0), maxTimestamp);
      if (now > timestamp) {
        timestamp = now;
        counter = seed(bytes);
      } else if (counter + 1 < counterLimit) {
        counter += 1;
      } else {
        timestamp += 1;
        counter = seed(bytes);
      }
      return format(timestamp, counter, bytes);
    },
  };
}

/** The top bit stays clear, so that at least 2^25 ids follow before the timestamp must run ahead. */
function seed(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getUint32(0) >>> (32 - counterBits + 1);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

function format(timestamp: number, counter: number, bytes: Uint8Array): string {
  const time = hex(timestamp, 12);
  const versioned = hex(0x7000 | (counter >>> 14), 4);
  const variant = hex(0x8000 | (counter & 0x3fff), 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const tail = hex(view.getUint32(4), 8) + hex(view.getUint16(8), 4);
  return `${time.slice(0, 8)}-${time.slice(8)}-${versioned}-${variant}-${tail}`;
}

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether `text` is a UUIDv7 in the form this source makes (lower case). */
export function isId(text: string): boolean {
  return uuidV7.test(text);
}

/** Unix milliseconds in a UUIDv7. */
export function idTime(id: string): number {
  return parse(id).timestamp;
}

function parse(id: string): { timestamp: number; counter: number } {
  if (!isId(id)) throw new RangeError(`not a UUIDv7 in lower case: ${JSON.stringify(id)}`);
  const digits = id.replaceAll('-', '');
  const high = Number.parseInt(digits.slice(13, 16), 16);
  const low = Number.parseInt(digits.slice(16, 20), 16) & 0x3fff;
  return { timestamp: Number.parseInt(digits.slice(0, 12), 16), counter: high * 2 ** 14 + low };
}

/** One system call for every 400 ids. */
function randomPool(): (bytes: Uint8Array) => void {
  const pool = new Uint8Array(4000);
  let used = pool.length;
  return (bytes) => {
    if (used + bytes.length > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    bytes.set(pool.subarray(used, used + bytes.length));
    used += bytes.length;
  };
}
