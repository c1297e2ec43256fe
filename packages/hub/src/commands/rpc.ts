import { type Command, disconnects, replyErrors } from '@holdfast/protocol';
import type { Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';

export async function rpc(session: Session, command: Command): Promise<Refusal | undefined> {
  const { hub, connection } = session;
  if (connection === undefined) return disconnects.badRequest;
  if (!hub.isAsked('rpc')) return replyErrors.notAvailable;
  const { method = '', data } = command.rpc ?? {};
  const answer = await hub.ask('rpc', {
    connection,
    method,
    signal: session.signal,
    ...(data === undefined ? {} : { data }),
  });
  if (answer === undefined) return replyErrors.notAvailable;
  session.reply({
    id: command.id ?? 0,
    rpc: answer.data === undefined ? {} : { data: answer.data },
  });
  return undefined;
}

export async function send(session: Session, command: Command): Promise<Refusal | undefined> {
  const { hub, connection } = session;
  if (connection === undefined) return disconnects.badRequest;
  const data = command.send?.data;
  const answer = await hub.ask('send', { connection, ...(data === undefined ? {} : { data }) });
  return answer === undefined ? disconnects.notAvailable : undefined;
}
