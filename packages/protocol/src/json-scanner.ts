/**
 * Steps over JSON text that is known to be valid. Nothing recurses, so nesting costs no stack.
 *
 * @module
 */

const quote = 0x22;
const backslash = 0x5c;

/** Where the next token begins. */
export function skipSpace(text: string, from: number): number {
  let position = from;
  while (isSpace(text.charCodeAt(position))) position += 1;
  return position;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Behind a value: skips space and one comma, to the next value or the closing bracket. */
export function skipSeparator(text: string, from: number): number {
  const position = skipSpace(text, from);
  return text[position] === ',' ? skipSpace(text, position + 1) : position;
}

/** The end of the value that begins at `from`. */
export function skipValue(text: string, from: number): number {
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

/** The end of the string that begins at `from`. */
export function skipString(text: string, from: number): number {
  let position = from + 1;
  for (;;) {
    const code = text.charCodeAt(position);
    if (code === quote) return position + 1;
    position += code === backslash ? 2 : 1;
  }
}

/**
 * A line break ends a message, so application data must not bring one along. Valid JSON has line
 * breaks only between tokens, where they mean nothing.
 */
export function withoutLineBreaks(json: string): string {
  return json.includes('\n') || json.includes('\r') ? json.replaceAll(/[\r\n]+/g, '') : json;
}
