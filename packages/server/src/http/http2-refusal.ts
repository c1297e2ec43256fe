import type { Duplex } from 'node:stream';

/** Frame types and the error code of RFC 9113 §6 and §7. */
const settingsFrame = 0x4;
const goAwayFrame = 0x7;
const http11Required = 0xd;

const advice =
  'This server speaks HTTP/1.1 alone. Let the proxy speak HTTP/1.1 to it, with Upgrade: websocket in place of an extended CONNECT (RFC 8441).';

/**
 * Answers a peer that speaks HTTP/2 in its own language: `HTTP_1_1_REQUIRED`, with words for its log.
 * What it asked for was not done, so that it may ask again over HTTP/1.1.
 */
export function refuseHttp2(socket: Duplex): void {
  const words = Buffer.from(advice);
  const goAway = Buffer.alloc(8);
  goAway.writeUInt32BE(http11Required, 4);
  socket.on('error', () => {
    // The peer is gone before it got its answer; there is nobody left to tell.
  });
  socket.once('finish', () => socket.destroy());
  socket.end(
    Buffer.concat([
      // The preface of a server is a SETTINGS frame, which may be empty.
      frame(settingsFrame, Buffer.alloc(0)),
      frame(goAwayFrame, Buffer.concat([goAway, words])),
    ]),
  );
}

/** A frame of the connection itself: stream 0, no flags. */
function frame(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  return Buffer.concat([head, payload]);
}
