import { type ClientInfo, type Command, disconnects, replyErrors } from '@holdfast/protocol';
import { mayOperate } from '../permissions.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';

function refuse(session: Session, channel: string): Refusal | undefined {
  if (channel === '') return disconnects.badRequest;
  const rules = session.hub.namespaces.resolve(channel);
  if (isRefusal(rules)) return rules;
  if (!rules.options.presence) return replyErrors.notAvailable;
  const isAllowed = mayOperate(session, 'Presence', { channel, options: rules.options });
  return isAllowed ? undefined : replyErrors.permissionDenied;
}

export async function presence(session: Session, command: Command): Promise<Refusal | undefined> {
  const channel = command.presence?.channel ?? '';
  const refusal = refuse(session, channel);
  if (refusal !== undefined) return refusal;
  const entries = await session.hub.presenceStore.get(channel);
  // Client ids are ours, so no key of this record is chosen by a stranger.
  const byClient: Record<string, ClientInfo> = Object.fromEntries(entries);
  session.reply({ id: command.id ?? 0, presence: { presence: byClient } });
  return undefined;
}

export async function presenceStats(
  session: Session,
  command: Command,
): Promise<Refusal | undefined> {
  const channel = command.presence_stats?.channel ?? '';
  const refusal = refuse(session, channel);
  if (refusal !== undefined) return refusal;
  const { clients, users } = await session.hub.presenceStore.stats(channel);
  session.reply({
    id: command.id ?? 0,
    presence_stats: { num_clients: clients, num_users: users },
  });
  return undefined;
}
