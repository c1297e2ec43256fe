/** One unmasked text frame of a server, FIN set (RFC 6455 §5.2). */
export function serverTextFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const extended = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extended);
  head[0] = 0x81;
  if (extended === 0) head[1] = payload.length;
  else if (extended === 2) {
    head[1] = 126;
    head.writeUInt16BE(payload.length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([head, payload]);
}
