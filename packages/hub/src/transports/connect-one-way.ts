import { disconnects, jsonCodec, ProtocolError } from '@holdfast/protocol';
import type { Session } from '../session.ts';

/**
 * Connects a session whose client can only listen, with the connect request (JSON) that came with its
 * request. An empty one is an empty request. Such a client has one thing to say, once.
 */
export function connectOneWay(session: Session, request: Uint8Array): void {
  const text = request.length === 0 ? '{}' : Buffer.from(request).toString();
  try {
    const commands = jsonCodec.decodeCommands(Buffer.from(`{"id":1,"connect":${text}}`));
    session.handle(commands, request.length);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    session.close(disconnects.badRequest);
  }
}
