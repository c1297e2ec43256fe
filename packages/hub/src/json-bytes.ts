const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A value as JSON in UTF-8: what nodes tell each other. */
export function toJsonBytes(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** @throws when they are not JSON */
export function fromJsonBytes(bytes: Uint8Array): unknown {
  return JSON.parse(decoder.decode(bytes));
}

/** What bytes of strangers say; undefined, which nothing in JSON is, when they are not JSON in UTF-8. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return fromJsonBytes(bytes);
  } catch {
    return undefined;
  }
}
