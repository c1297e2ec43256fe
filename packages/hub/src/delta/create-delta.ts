import { BytePair } from './byte-pair.ts';
import { DeltaWriter, digitCount } from './delta-writer.ts';
import { landmarkBytes, Landmarks, type Match } from './landmarks.ts';

/** How far around the changed part of a large base matches are looked for. */
const windowBytes = 32_768;

/**
 * Makes a patch that turns `base` into `target`, in the delta format of Fossil
 * (https://fossil-scm.org/home/doc/trunk/www/delta_format.wiki), which Centrifugo's clients apply.
 *
 * When both are valid UTF-8 the patch is too, so that it can travel in a JSON string: no character
 * is ever cut in two. Takes time in proportion to the size of both; the patch is a new array.
 *
 * @returns undefined when a patch would not be shorter than `target`.
 */
export function createDelta(base: Uint8Array, target: Uint8Array): Uint8Array | undefined {
  const pair = new BytePair(base, target);
  const most = Math.min(base.length, target.length);
  const prefix = wholeCharacters(target, pair.equalAhead(0, 0, most), -1);
  const equalEnd = pair.equalBehind(base.length, target.length, most - prefix);
  const middleEnd = wholeCharacters(target, target.length - equalEnd, 1);
  const suffix = target.length - middleEnd;
  const writer = new DeltaWriter(target, target.length);
  let written = 0;
  const take = (match: Match): void => {
    writer.literal(written, match.targetStart);
    writer.copy(match.length, match.baseStart);
    written = match.targetStart + match.length;
  };

  const head = { baseStart: 0, targetStart: 0, length: prefix };
  if (isWorthCopying(head)) take(head);
  if (middleEnd - prefix >= 2 * landmarkBytes) {
    const end = Math.min(base.length, base.length - suffix + windowBytes);
    const landmarks = new Landmarks(pair, Math.max(0, prefix - windowBytes), end);
    let position = prefix;
    while (position + landmarkBytes <= middleEnd) {
      const match = landmarks.longestMatch(position, written, middleEnd);
      const whole = match && withWholeCharacters(target, match);
      // One that ends before this position would not advance the search.
      if (whole && isWorthCopying(whole) && whole.targetStart + whole.length > position) {
        take(whole);
        position = written;
      } else {
        position += 1;
      }
    }
  }
  const tail = { baseStart: base.length - suffix, targetStart: middleEnd, length: suffix };
  if (isWorthCopying(tail)) take(tail);
  writer.literal(written, target.length);
  return writer.end(checksumOf(pair.target));
}

/** A copy that saves less than it takes to write it, and to begin another literal, is none. */
function isWorthCopying({ baseStart, length }: Match): boolean {
  return length > digitCount(length) + digitCount(baseStart) + 4;
}

/**
 * Moves a boundary out of the middle of a UTF-8 character. A character has at most three
 * continuation bytes: longer runs are not UTF-8, and moving further would help nobody.
 */
function wholeCharacters(target: Uint8Array, boundary: number, direction: 1 | -1): number {
  let moved = boundary;
  for (let step = 0; step < 3 && ((target[moved] ?? 0) & 0xc0) === 0x80; step += 1) {
    moved += direction;
  }
  return Math.max(0, moved);
}

function withWholeCharacters(target: Uint8Array, match: Match): Match {
  const end = wholeCharacters(target, match.targetStart + match.length, -1);
  const start = wholeCharacters(target, match.targetStart, 1);
  return {
    baseStart: match.baseStart + start - match.targetStart,
    targetStart: start,
    length: end - start,
  };
}

/** The sum of the target as big-endian 32-bit words, the last one filled up with zeros. */
function checksumOf(target: DataView): number {
  const wordsEnd = target.byteLength & ~3;
  let sum = 0;
  for (let index = 0; index < wordsEnd; index += 4) sum = (sum + target.getInt32(index)) | 0;
  for (let index = wordsEnd; index < target.byteLength; index += 1) {
    sum = (sum + (target.getUint8(index) << (24 - 8 * (index - wordsEnd)))) | 0;
  }
  return sum >>> 0;
}
