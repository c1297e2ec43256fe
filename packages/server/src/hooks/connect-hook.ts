import type { ConnectingEvent, Credentials, SubscribeGrant } from '@holdfast/hub';
import { type HookCaller, settle } from './hook-caller.ts';
import { transportMembers } from './hook-request.ts';
import type { ObjectReader } from './object-reader.ts';
import { readSubscribeGrant } from './subscribe-grant.ts';

/**
 * Asks the backend who connects. Clients that bring a token are not asked about: the token says it.
 *
 * @returns undefined for a client with a token.
 */
export async function askConnect(
  caller: HookCaller,
  event: ConnectingEvent,
): Promise<Credentials | undefined> {
  if (event.token !== '') return undefined;
  const decision = await caller.ask(
    {
      hook: 'connect',
      headers: { http: event.transport.headers, emulated: event.emulatedHeaders },
      body: {
        ...transportMembers(caller, event),
        ...caller.payload('connect', event.data),
        name: event.name === '' ? undefined : event.name,
        version: event.version === '' ? undefined : event.version,
        channels: event.channels.length === 0 ? undefined : event.channels,
      },
      signal: event.signal,
    },
    readCredentials,
  );
  return settle(decision);
}

function readCredentials(result: ObjectReader): Credentials {
  const expireAt = result.integer('expire_at');
  const info = result.payload('info');
  const data = result.payload('data');
  const meta = result.raw('meta');
  const subs = readSubscriptions(result);
  return {
    user: result.string('user') ?? '',
    ...(expireAt === undefined ? {} : { expireAt }),
    ...(info === undefined ? {} : { info }),
    ...(data === undefined ? {} : { data }),
    ...(meta === undefined ? {} : { meta }),
    ...(subs.size === 0 ? {} : { subs: Object.fromEntries(subs) }),
  };
}

/** `channels` names subscriptions without options, `subs` those with. */
function readSubscriptions(result: ObjectReader): ReadonlyMap<string, SubscribeGrant> {
  const grants = new Map<string, SubscribeGrant>();
  for (const channel of result.strings('channels') ?? []) grants.set(channel, {});
  const subs = result.object('subs');
  for (const channel of subs?.names() ?? []) {
    const options = subs?.object(channel);
    grants.set(channel, options === undefined ? {} : readSubscribeGrant(options));
  }
  return grants;
}
