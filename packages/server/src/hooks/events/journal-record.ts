import { crc32 } from 'node:zlib';

/**
 * A record of the journal: length of the payload (4 bytes), CRC-32 of sequence and payload (4),
 * sequence (8), payload. Numbers are big-endian.
 */
const headerBytes = 16;

/** Longer records are never written, so a greater length read back means damage. */
export const maxRecordBytes = 1_048_576;

export interface JournalRecord {
  readonly sequence: number;
  readonly payload: Buffer;
}

export function encodeRecord({ sequence, payload }: JournalRecord): Buffer {
  const record = Buffer.allocUnsafe(headerBytes + payload.length);
  record.writeUInt32BE(payload.length, 0);
  record.writeBigUInt64BE(BigInt(sequence), 8);
  payload.copy(record, headerBytes);
  record.writeUInt32BE(crc32(record.subarray(8)), 4);
  return record;
}

/**
 * Reads the record that begins at `offset`.
 * @returns `incomplete` when the bytes end before the record does, `damaged` when this is no record.
 */
export function decodeRecord(
  bytes: Buffer,
  offset: number,
): (JournalRecord & { readonly end: number }) | 'incomplete' | 'damaged' {
  if (offset + headerBytes > bytes.length) return 'incomplete';
  const length = bytes.readUInt32BE(offset);
  if (length > maxRecordBytes) return 'damaged';
  const end = offset + headerBytes + length;
  if (end > bytes.length) return 'incomplete';
  if (crc32(bytes.subarray(offset + 8, end)) !== bytes.readUInt32BE(offset + 4)) return 'damaged';
  const sequence = Number(bytes.readBigUInt64BE(offset + 8));
  return { sequence, payload: bytes.subarray(offset + headerBytes, end), end };
}
