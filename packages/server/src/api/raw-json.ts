import type { Bytes } from '@holdfast/protocol';

/**
 * JSON without loss. `JSON.parse` followed by `JSON.stringify` changes what an application sent:
 * 12345678901234567890 becomes 12345678901234567000, and deep nesting overflows the stack. So
 * application data is cut out of a request as text and pasted into a response as text.
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The text of UTF-8 bytes, or undefined when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether `text` is one complete JSON value. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What {@link stringifyWithRaw} writes: plain data, in which bytes are JSON text. */
export type JsonWithRaw =
  | string
  | number
  | boolean
  | null
  | undefined
  | Bytes
  | readonly JsonWithRaw[]
  | ReadonlyMap<string, JsonWithRaw>
  | { readonly [name: string]: JsonWithRaw };

/**
 * As `JSON.stringify`, but bytes are embedded as the JSON text they are, and a `Map` is written as
 * an object (names that come from strangers never become object properties). The result has no line
 * break.
 */
export function stringifyWithRaw(value: JsonWithRaw): string {
  if (value instanceof Uint8Array) return withoutLineBreaks(decoder.decode(value));
  if (Array.isArray(value)) return `[${value.map(stringifyElement).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = value instanceof Map ? value.entries() : Object.entries(value);
  const written: string[] = [];
  for (const [name, member] of members as Iterable<[string, JsonWithRaw]>) {
    if (member !== undefined) written.push(`${JSON.stringify(name)}:${stringifyWithRaw(member)}`);
  }
  return `{${written.join(',')}}`;
}

/** The UTF-8 bytes of a JSON text. */
export function jsonBytes(text: string): Bytes {
  return encoder.encode(text);
}

function stringifyElement(element: JsonWithRaw): string {
  return element === undefined ? 'null' : stringifyWithRaw(element);
}

/** Raw line breaks stand only between JSON tokens (inside strings they are escaped). */
function withoutLineBreaks(json: string): string {
  return /[\r\n]/.test(json) ? json.replaceAll(/[\r\n]+/g, ' ') : json;
}
