import { ProtocolError } from './codec.ts';

const encoder = new TextEncoder();
/** A byte order mark stays in the text, where the JSON grammar then refuses it. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 bytes of a text, in an array of their own. Lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Text of UTF-8 bytes. @throws ProtocolError `malformed` when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ProtocolError('malformed', 'text is not valid UTF-8');
  }
}
