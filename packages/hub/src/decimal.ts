/**
 * A number as its digits, so that comparing is exact whatever the number of digits: identifiers of
 * 19 digits and prices do not fit a double.
 */
export interface Decimal {
  /** Zero is never negative. */
  readonly isNegative: boolean;
  /** Without leading zeros; empty below one. */
  readonly integer: string;
  /** Without trailing zeros. */
  readonly fraction: string;
}

const pattern = /^[+-]?(\d+)(?:\.(\d+))?$/;

/** Texts parsed before: the same tag is compared for each of many subscribers. */
const parsed = new Map<string, Decimal | undefined>();
const maxParsed = 256;
const maxParsedLength = 40;

/**
 * Reads `-12`, `+0.50`, `007`; undefined for anything else, also for exponents, spaces, and a point
 * without digits on both sides.
 */
export function parseDecimal(text: string): Decimal | undefined {
  const known = parsed.get(text);
  if (known !== undefined || parsed.has(text)) return known;
  const decimal = readDecimal(text);
  if (text.length <= maxParsedLength) {
    if (parsed.size >= maxParsed) parsed.clear();
    parsed.set(text, decimal);
  }
  return decimal;
}

function readDecimal(text: string): Decimal | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [, whole = '', part = ''] = match;
  let start = 0;
  while (whole[start] === '0') start += 1;
  let end = part.length;
  while (part[end - 1] === '0') end -= 1;
  const [integer, fraction] = [whole.slice(start), part.slice(0, end)];
  return { isNegative: text[0] === '-' && integer + fraction !== '', integer, fraction };
}

/** Negative when `a` is below `b`, 0 when they are equal, positive when above. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.isNegative !== b.isNegative) return a.isNegative ? -1 : 1;
  const magnitude =
    a.integer.length - b.integer.length ||
    compareTexts(a.integer, b.integer) ||
    compareTexts(a.fraction, b.fraction);
  return a.isNegative ? -magnitude : magnitude;
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
