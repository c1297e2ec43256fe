import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import type { ConnectionGate } from '../connection-gate.ts';
import type { HubContext } from '../hub-context.ts';
import type { MessageEncoder } from '../message-encoder.ts';
import type { Session } from '../session.ts';
import type { DialectRoom } from './dialect.ts';
import { HeldConnection, type HeldConnectionOptions } from './held-connection.ts';
import type { HttpRefusal } from './http-refusal.ts';
import type { Transport } from './transport.ts';

/** A request for a connection of a dialect, with what answers it. */
export interface Arrival extends Pick<HeldConnectionOptions, 'name' | 'refuse'> {
  readonly hub: HubContext;
  readonly gate: ConnectionGate;
  readonly room: DialectRoom;
  readonly request: IncomingMessage;
  /** What closes when the client goes: its socket, or the response to its request. */
  readonly peer: Writable;
  /** Answers that the client is let in; undefined when it has gone meanwhile. */
  readonly accept: (session: Session, encoder: MessageEncoder) => Transport | undefined;
}

/** Connects a client first and answers its request then: see `Dialect`. */
export async function connectFirst(arrival: Arrival): Promise<void> {
  const { hub, gate, room, request, name, peer, refuse } = arrival;
  const ignored = (): void => undefined;
  peer.on('error', ignored);
  const asked = await room.ask(request, hub.logger);
  if (peer.destroyed) return;
  if ('status' in asked) {
    refuse(asked);
    return;
  }
  const { channels } = asked;
  const encoder = room.encoderFor(asked.user);
  const leave = (): void => gate.leave(session);
  const accept = (): Transport | HttpRefusal | undefined => {
    const { user } = session;
    const refusal = room.enter(user);
    if (refusal !== undefined) return refusal;
    peer.once('close', () => room.leave(user));
    peer.off('error', ignored);
    peer.off('close', leave);
    return arrival.accept(session, encoder);
  };
  const session = gate.enter(
    new HeldConnection({ request, name, peer, encoder, channels, accept, refuse }),
  );
  peer.once('close', leave);
  session.handle([{ id: 1, connect: asked.request }], 0);
}
