import type { ClientInfo } from '@holdfast/protocol';
import type { MapPublication } from './ports/map-broker.ts';
import { isRefusal } from './refusal.ts';
import type { Subscription } from './subscription.ts';

/** Whether anybody is told, by any of the ways below, who is in the channel. */
export function keepsPresence({ hasPresence, rules }: Subscription): boolean {
  const { mapClientsPresenceChannelPrefix: clients, mapUsersPresenceChannelPrefix: users } =
    rules.options;
  return hasPresence || clients !== '' || users !== '';
}

/**
 * Who is in a channel is kept in up to three places, as its namespace says: the presence store, and
 * map channels by client and by user, which others can subscribe to. Entries of clients that vanish
 * expire by themselves.
 */
export async function enterPresence(subscription: Subscription): Promise<void> {
  const { session, channel, hasPresence, clientInfo } = subscription;
  const { presenceStore, options } = session.hub;
  if (hasPresence) await presenceStore.add(channel, clientInfo, options.presenceTtlMs);
  for (const entry of presenceEntries(subscription)) await publishEntry(subscription, entry);
}

/** Gives every entry its full time again; one that has expired meanwhile comes back. */
export async function refreshPresence(subscription: Subscription): Promise<void> {
  const { session, channel, hasPresence, clientInfo } = subscription;
  const { presenceStore, mapBroker, namespaces, options } = session.hub;
  if (hasPresence) await presenceStore.add(channel, clientInfo, options.presenceTtlMs);
  for (const entry of presenceEntries(subscription)) {
    const rules = namespaces.resolve(entry.channel);
    if (isRefusal(rules)) continue;
    const isThere = await mapBroker.touch(entry.channel, entry.key, rules.retention);
    if (!isThere) await publishEntry(subscription, entry);
  }
}

/** The entry by user stays until it expires: the user may be there through another connection. */
export async function leavePresence(subscription: Subscription): Promise<void> {
  const { session, channel, hasPresence, clientInfo, rules } = subscription;
  const { presenceStore, mapBroker, namespaces } = session.hub;
  if (hasPresence) await presenceStore.remove(channel, clientInfo);
  for (const entry of presenceEntries(subscription)) {
    const target = namespaces.resolve(entry.channel);
    if (entry.isOfUser || isRefusal(target)) continue;
    await mapBroker.remove(entry.channel, entry.key, { retention: target.retention });
  }
  const { clientKey, removeClientOnUnsubscribe } = rules.options.map;
  if (!rules.isMap || !removeClientOnUnsubscribe || clientKey === '') return;
  const key = clientKey === 'client_id' ? session.id : session.user;
  await mapBroker.remove(channel, key, { retention: rules.retention });
}

interface PresenceEntry {
  readonly channel: string;
  readonly key: string;
  readonly info: ClientInfo;
  readonly isOfUser: boolean;
}

function presenceEntries({ session, channel, rules, clientInfo }: Subscription): PresenceEntry[] {
  const { mapClientsPresenceChannelPrefix: clients, mapUsersPresenceChannelPrefix: users } =
    rules.options;
  const entries: PresenceEntry[] = [];
  if (clients !== '') {
    entries.push({
      channel: clients + channel,
      key: session.id,
      info: clientInfo,
      isOfUser: false,
    });
  }
  if (users !== '' && session.user !== '') {
    const info = { user: session.user, client: '' };
    entries.push({ channel: users + channel, key: session.user, info, isOfUser: true });
  }
  return entries;
}

async function publishEntry(
  { session }: Subscription,
  { channel, key, info }: PresenceEntry,
): Promise<void> {
  const { mapBroker, namespaces, logger } = session.hub;
  const rules = namespaces.resolve(channel);
  if (isRefusal(rules) || !rules.isMap) {
    logger.warn({ channel }, 'presence cannot be kept here: the channel has no map namespace');
    return;
  }
  const publication: MapPublication = { key, info };
  await mapBroker.publish(channel, publication, { retention: rules.retention });
}
