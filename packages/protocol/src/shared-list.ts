import type { FieldSchema } from './schema.ts';

/** What a list has been encoded to, in one field. */
export interface ListEncodings {
  json?: string;
  /** With the field's tags. */
  protobuf?: Uint8Array;
}

const sharedLists = new WeakMap<object, Map<FieldSchema, ListEncodings>>();

/**
 * Marks a list of messages that goes to many clients: each codec encodes it once and remembers the
 * result for as long as the list lives. The list and everything in it must not change from then on.
 */
export function shareList<Item>(list: readonly Item[]): readonly Item[] {
  if (list.length > 0 && !sharedLists.has(list)) sharedLists.set(list, new Map());
  return list;
}

/** What is remembered of a shared list, to read and to add to; undefined for any other. */
export function encodingsOf(list: object, field: FieldSchema): ListEncodings | undefined {
  const byField = sharedLists.get(list);
  if (byField === undefined) return undefined;
  let encodings = byField.get(field);
  if (encodings === undefined) {
    encodings = {};
    byField.set(field, encodings);
  }
  return encodings;
}
