import { disconnects, replyErrors, type SubscribeRequest } from '@holdfast/protocol';
import type { SubscribeGrant } from '../events.ts';
import type { ChannelRules } from '../namespaces.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import { type Soon, whenThere } from '../soon.ts';

/**
 * Who may subscribe, in Centrifugo's order: a token decides alone; then a user-limited channel by the
 * users in its name; then the application; then the rules of the namespace; insecure mode last.
 * A private channel needs a token or the application's word.
 */
export function authoriseSubscribe(
  session: Session,
  request: SubscribeRequest,
  rules: ChannelRules,
): Soon<SubscribeGrant | Refusal> {
  const { channel = '', token = '' } = request;
  if (session.connection === undefined) return disconnects.badRequest;
  if (token !== '') return verifyToken(session, channel, token);
  if (isNamed(session, channel, rules)) return {};
  return whenThere(askApplication(session, request, rules), (grant) => {
    if (grant !== undefined) return grant;
    return isAllowedByRules(session, channel, rules) ? {} : replyErrors.permissionDenied;
  });
}

function askApplication(
  session: Session,
  { channel = '', data }: SubscribeRequest,
  rules: ChannelRules,
): Soon<SubscribeGrant | undefined> {
  const { hub, connection } = session;
  if (connection === undefined || !hub.isAsked('subscribing')) return undefined;
  if (hub.namespaces.limitedTo(channel, rules) !== undefined) return undefined;
  const { namespace, options } = rules;
  return hub.ask('subscribing', {
    connection,
    channel,
    namespace,
    options,
    token: '',
    signal: session.signal,
    ...(data === undefined ? {} : { data }),
  });
}

/** A user-limited channel that names this user. */
function isNamed({ hub, user }: Session, channel: string, rules: ChannelRules): boolean {
  if (user === '' || hub.namespaces.isPrivate(channel)) return false;
  return hub.namespaces.limitedTo(channel, rules)?.includes(user) === true;
}

/** Whether the channel's name and namespace alone let this client in. */
export function isAllowedByRules(session: Session, channel: string, rules: ChannelRules): boolean {
  const { hub, user } = session;
  if (hub.options.insecure || isNamed(session, channel, rules)) return true;
  const isRestricted =
    hub.namespaces.isPrivate(channel) || hub.namespaces.limitedTo(channel, rules) !== undefined;
  const { allowSubscribeForClient, allowSubscribeForAnonymous } = rules.options;
  return !isRestricted && allowSubscribeForClient && (user !== '' || allowSubscribeForAnonymous);
}

function verifyToken(
  session: Session,
  channel: string,
  token: string,
): Soon<SubscribeGrant | Refusal> {
  const { hub, id, user } = session;
  const verifier = hub.subscriptionTokens ?? hub.tokens;
  if (verifier === undefined) return replyErrors.permissionDenied;
  return whenThere(verifier.verifySubscription(token), (claims) => {
    if (isRefusal(claims)) {
      // A bad subscription token costs the subscription, not the connection.
      return claims === disconnects.invalidToken ? replyErrors.permissionDenied : claims;
    }
    const isForThis =
      claims.channel === channel &&
      claims.user === user &&
      (claims.client === '' || claims.client === id);
    return isForThis ? claims.grant : disconnects.invalidToken;
  });
}
