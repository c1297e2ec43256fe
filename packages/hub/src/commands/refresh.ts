import { type Command, disconnects, replyErrors } from '@holdfast/protocol';
import { expireSubscription, setSubscriptionExpiry } from '../end-subscription.ts';
import type { RefreshAnswer } from '../events.ts';
import { expiryMembers } from '../expiry.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import { subRefreshTypes, track } from './track.ts';

/** How long a connection or subscription lives on when the application cannot answer a refresh. */
const outageGraceSeconds = 60;

export async function refresh(session: Session, command: Command): Promise<Refusal | undefined> {
  const { hub, user, tokenChannels } = session;
  const token = command.refresh?.token ?? '';
  if (token === '') return disconnects.badRequest;
  if (hub.tokens === undefined) return replyErrors.notAvailable;
  const credentials = await hub.tokens.verifyConnection(token);
  if (credentials === replyErrors.tokenExpired) return disconnects.expired;
  if (isRefusal(credentials)) return credentials;
  if (credentials.user !== user) return disconnects.invalidToken;
  const revoked = hub.revocations.refusalOf(user, credentials.token);
  if (revoked !== undefined) return revoked;
  const channels = Object.keys(credentials.subs ?? {});
  if (channels.toSorted().join('\n') !== tokenChannels.toSorted().join('\n')) {
    // The client gets its new set of subscriptions by connecting again.
    return disconnects.insufficientState;
  }
  const expireAt = hub.options.insecure ? 0 : (credentials.expireAt ?? 0);
  session.token = credentials.token;
  session.setExpiry(expireAt);
  if (credentials.info !== undefined) session.setInfo(credentials.info);
  session.reply({
    id: command.id ?? 0,
    refresh: {
      client: session.id,
      version: hub.version,
      ...expiryMembers(expireAt, hub.clock.now()),
    },
  });
  return undefined;
}

export async function subRefresh(session: Session, command: Command): Promise<Refusal | undefined> {
  const { channel = '', token = '', type = 0 } = command.sub_refresh ?? {};
  if (channel === '') return disconnects.badRequest;
  if (type === subRefreshTypes.track || type === subRefreshTypes.untrack) {
    return track(session, command);
  }
  const subscription = session.subscriptions.get(channel);
  if (subscription?.state !== 'live') return replyErrors.permissionDenied;
  if (token === '') return replyErrors.badRequest;
  if (subscription.grant.serverSideRefresh === true) return disconnects.badRequest;
  const { hub } = session;
  const verifier = hub.subscriptionTokens ?? hub.tokens;
  if (verifier === undefined) return replyErrors.notAvailable;
  const claims = await verifier.verifySubscription(token);
  if (claims === replyErrors.tokenExpired) return disconnects.subscriptionExpired;
  if (isRefusal(claims)) return claims;
  const isForThis =
    claims.channel === channel &&
    claims.user === session.user &&
    (claims.client === '' || claims.client === session.id);
  if (!isForThis) return disconnects.invalidToken;
  const { expireAt = 0, info, token: identity } = claims.grant;
  if (identity !== undefined) {
    if (hub.revocations.isRevoked(session.user, identity)) return disconnects.invalidToken;
    subscription.grant = { ...subscription.grant, token: identity };
  }
  if (info !== undefined) subscription.grant = { ...subscription.grant, info };
  setSubscriptionExpiry(subscription, expireAt);
  session.reply({ id: command.id ?? 0, sub_refresh: expiryMembers(expireAt, hub.clock.now()) });
  return undefined;
}

/**
 * Asks the application whether a connection may go on. When it cannot answer, the connection gets
 * another minute and is asked again: an outage of the backend must not drop everybody.
 */
export async function refreshByServer(session: Session): Promise<Refusal | undefined> {
  const { hub, connection, signal } = session;
  if (connection === undefined) return undefined;
  const answer = await orOutage(session, () => hub.ask('refreshing', { connection, signal }));
  if (isRefusal(answer)) return answer;
  if (answer === undefined || isOver(session, answer)) return disconnects.expired;
  if (answer.info !== undefined) session.setInfo(answer.info);
  if (answer.meta !== undefined) session.connection = { ...connection, meta: answer.meta };
  session.setExpiry(answer.expireAt ?? 0);
  return undefined;
}

/** As {@link refreshByServer}, for one subscription. */
export async function subRefreshByServer(
  session: Session,
  command: Command,
): Promise<Refusal | undefined> {
  const { hub, connection, signal } = session;
  const subscription = session.subscriptions.get(command.sub_refresh?.channel ?? '');
  if (connection === undefined || subscription?.state !== 'live') return undefined;
  const { channel, rules } = subscription;
  const { namespace, options } = rules;
  const answer = await orOutage(session, () =>
    hub.ask('subRefreshing', { connection, channel, namespace, options, signal }),
  );
  if (isRefusal(answer)) return answer;
  if (answer === undefined || isOver(session, answer)) {
    expireSubscription(subscription);
    return undefined;
  }
  const { info } = answer;
  if (info !== undefined) subscription.grant = { ...subscription.grant, info };
  setSubscriptionExpiry(subscription, answer.expireAt ?? 0);
  return undefined;
}

async function orOutage(
  { hub, id }: Session,
  ask: () => Promise<RefreshAnswer | undefined>,
): Promise<RefreshAnswer | Refusal | undefined> {
  try {
    return await ask();
  } catch (error) {
    const refusal = hub.refusalOf(error, { client: id });
    if (refusal !== replyErrors.internal) return refusal;
    return { expireAt: hub.clock.now() / 1000 + outageGraceSeconds };
  }
}

function isOver({ hub }: Session, { expired, expireAt = 0 }: RefreshAnswer): boolean {
  return expired === true || (expireAt !== 0 && expireAt * 1000 <= hub.clock.now());
}
