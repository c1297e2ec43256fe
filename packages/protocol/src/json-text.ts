/**
 * Cuts JSON text apart without parsing what is inside, so that application data goes on exactly as it
 * was written: numbers keep their digits, nesting costs no stack, and names like `__proto__` never
 * become properties.
 *
 * @module
 */

/**
 * The members of a JSON object as text, in the order of the document; of a name that stands twice
 * the last one wins, as in `JSON.parse`.
 *
 * @param text - one valid JSON value; validity must be established before.
 * @returns undefined when the value is not an object.
 */
export function jsonMembers(text: string): ReadonlyMap<string, string> | undefined {
  const members = new Map<string, string>();
  let position = skipSpace(text, 0);
  if (text[position] !== '{') return undefined;
  position = skipSpace(text, position + 1);
  while (text[position] !== '}') {
    const nameEnd = skipValue(text, position);
    const name = JSON.parse(text.slice(position, nameEnd)) as string;
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = skipValue(text, start);
    members.set(name, text.slice(start, end));
    position = skipSeparator(text, end);
  }
  return members;
}

/** The elements of a JSON array as text. Same conditions as {@link jsonMembers}. */
export function jsonElements(text: string): readonly string[] | undefined {
  const elements: string[] = [];
  let position = skipSpace(text, 0);
  if (text[position] !== '[') return undefined;
  position = skipSpace(text, position + 1);
  while (text[position] !== ']') {
    const end = skipValue(text, position);
    elements.push(text.slice(position, end));
    position = skipSeparator(text, end);
  }
  return elements;
}

const quote = 0x22;
const backslash = 0x5c;

function skipSpace(text: string, from: number): number {
  let position = from;
  while (isSpace(text.charCodeAt(position))) position += 1;
  return position;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Behind a value: skips space and one comma, to the next value or the closing bracket. */
function skipSeparator(text: string, from: number): number {
  const position = skipSpace(text, from);
  return text[position] === ',' ? skipSpace(text, position + 1) : position;
}

/** The end of the value that begins at `from`. Iterative, so that nesting costs no stack. */
function skipValue(text: string, from: number): number {
  let depth = 0;
  let position = from;
  for (;;) {
    const code = text.charCodeAt(position);
    if (code === quote) {
      position = skipString(text, position);
      if (depth === 0) return position;
      continue;
    }
    if (code === 0x7b || code === 0x5b) depth += 1;
    else if (code === 0x7d || code === 0x5d) {
      // A scalar ends at the bracket of what contains it.
      if (depth === 0) return position;
      depth -= 1;
      if (depth === 0) return position + 1;
    } else if (depth === 0 && (code === 0x2c || isSpace(code) || Number.isNaN(code))) {
      return position;
    }
    position += 1;
  }
}

function skipString(text: string, from: number): number {
  let position = from + 1;
  for (;;) {
    const code = text.charCodeAt(position);
    if (code === quote) return position + 1;
    position += code === backslash ? 2 : 1;
  }
}
