const maxKeyBytes = 255;

/** Whether it can be a key of a map or of a shared poll: 1 to 255 bytes. */
export function isChannelKey(key: string): boolean {
  return key !== '' && Buffer.byteLength(key) <= maxKeyBytes;
}
