import { replyErrors } from '@holdfast/protocol';

const encoder = new TextEncoder();

/** Data of the application as it travels: bytes as they are, anything else as JSON. */
export function toBytes(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data;
  const json = JSON.stringify(data) as string | undefined;
  if (json === undefined) throw replyErrors.badRequest;
  return encoder.encode(json);
}
