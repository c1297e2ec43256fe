/**
 * Cuts JSON text apart without parsing what is inside, so that application data goes on exactly as it
 * was written: numbers keep their digits, nesting costs no stack, and names like `__proto__` never
 * become properties.
 *
 * @module
 */
import { skipSeparator, skipSpace, skipValue } from './json-scanner.ts';

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
