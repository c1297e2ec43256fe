import {
  type Command,
  type ConnectRequest,
  type ConnectResult,
  disconnects,
  replyErrors,
  type SubscribeResult,
} from '@holdfast/protocol';
import type { Connection, Credentials, SubscribeGrant } from '../events.ts';
import { expiryMembers } from '../expiry.ts';
import { completeJoin, joinChannel, type Joined } from '../join-channel.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import { type Soon, whenThere } from '../soon.ts';
import { authenticate } from './authenticate.ts';
import { isAllowedByRules } from './authorise-subscribe.ts';

const maxNameLength = 64;
const noHeaders: Connection['emulatedHeaders'] = Object.freeze({});

export function connect(session: Session, command: Command): Soon<Refusal | undefined> {
  const request = command.connect ?? {};
  return whenThere(session.takeTurn(), (refusal) => {
    if (refusal !== undefined) return refusal;
    return whenThere(session.hub.starting, () =>
      whenThere(authenticate(session, request), (credentials) =>
        isRefusal(credentials) ? credentials : enter(session, command, credentials),
      ),
    );
  });
}

function enter(
  session: Session,
  command: Command,
  credentials: Credentials,
): Soon<Refusal | undefined> {
  const request = command.connect ?? {};
  const refusal = admit(session, credentials);
  if (refusal !== undefined) return refusal;
  session.authenticate(credentials, describe(session, request, credentials));
  return whenThere(joinServerSide(session, request, credentials), (joined) => {
    if (isRefusal(joined)) {
      session.revoke();
      return joined;
    }
    if (session.state === 'closed') return disconnects.connectionClosed;
    welcome(session, command.id ?? 0, connectResult(session, credentials, joined));
    for (const join of joined) completeJoin(join);
    const { hub, connection } = session;
    if (connection === undefined) return undefined;
    hub.logger.info({ client: session.id, user: session.user }, 'connected');
    hub.notify('connected', connection);
    return undefined;
  });
}

function welcome(session: Session, id: number, result: ConnectResult): void {
  if (session.transport.info.unidirectional) session.push({ connect: result });
  else session.reply({ id, connect: result });
  session.begin();
}

function admit(session: Session, { user, expireAt = 0, token }: Credentials): Refusal | undefined {
  const { hub, state } = session;
  if (state === 'closed') return disconnects.connectionClosed;
  const revoked = hub.revocations.refusalOf(user, token);
  if (revoked !== undefined) return revoked;
  const limit = hub.options.userConnectionLimit;
  if (limit > 0 && user !== '' && hub.sessions.connectionsOf(user) >= limit) {
    return disconnects.connectionLimit;
  }
  if (expireAt !== 0 && expireAt * 1000 <= hub.clock.now()) return replyErrors.expired;
  return undefined;
}

function describe(session: Session, request: ConnectRequest, credentials: Credentials): Connection {
  const { hub, transport, id } = session;
  return {
    client: id,
    user: credentials.user,
    transport: transport.info,
    connectedAt: hub.clock.now(),
    name: (request.name ?? '').slice(0, maxNameLength),
    version: (request.version ?? '').slice(0, maxNameLength),
    emulatedHeaders: request.headers ?? noHeaders,
    ...(credentials.info === undefined ? {} : { info: credentials.info }),
    ...(credentials.meta === undefined ? {} : { meta: credentials.meta }),
  };
}

/** All of them or none: a client that lacks a channel it was promised would never know. */
function joinServerSide(
  session: Session,
  request: ConnectRequest,
  credentials: Credentials,
): Soon<readonly Joined[] | Refusal> {
  const grants = grantsOf(session, request, credentials);
  if (isRefusal(grants)) return grants;
  const { channelLimit } = session.hub.options;
  if (channelLimit > 0 && grants.size > channelLimit) return disconnects.channelLimit;
  return grants.size === 0 ? [] : joinAll(session, request, grants);
}

/** The channels that the server subscribes the client to. */
function grantsOf(
  session: Session,
  request: ConnectRequest,
  credentials: Credentials,
): ReadonlyMap<string, SubscribeGrant> | Refusal {
  const { hub, user } = session;
  const grants = new Map<string, SubscribeGrant>(Object.entries(credentials.subs ?? {}));
  session.tokenChannels = [...grants.keys()];
  const personal = hub.options.subscribeToUserPersonalChannel;
  if (personal.enabled && user !== '') {
    const channel = hub.namespaces.personalChannel(user, personal.personalChannelNamespace);
    if (channel === undefined) {
      hub.logger.warn(
        { client: session.id, user },
        'a user is refused whose personal channel would open to others: take ids without the user ' +
          'boundary and separator, or a namespace without allow_user_limited_channels',
      );
      return replyErrors.badRequest;
    }
    if (!grants.has(channel)) grants.set(channel, {});
  }
  for (const channel of session.transport.ownChannels ?? []) {
    if (!grants.has(channel)) grants.set(channel, {});
  }
  if (session.transport.info.unidirectional) {
    const refusal = grantAsked(session, request, grants);
    if (refusal !== undefined) return refusal;
  }
  return grants;
}

async function joinAll(
  session: Session,
  request: ConnectRequest,
  grants: ReadonlyMap<string, SubscribeGrant>,
): Promise<readonly Joined[] | Refusal> {
  const { hub, user } = session;
  const personal = hub.options.subscribeToUserPersonalChannel;
  if (personal.enabled && personal.singleConnection && user !== '') {
    await hub.disconnect({ user, whitelist: [session.id] }, disconnects.connectionLimit);
  }
  const outcomes = await Promise.all(
    [...grants].map(async ([channel, grant]) => {
      const rules = hub.namespaces.resolve(channel);
      if (isRefusal(rules)) {
        const { message } = rules;
        hub.logger.warn(
          { client: session.id, channel },
          `a server-side subscription cannot be made (${message}): mend the token or connect hook`,
        );
        return rules;
      }
      return joinChannel(session, {
        channel,
        rules,
        isServerSide: true,
        request: request.subs?.[channel] ?? {},
        authorise: () => grant,
      });
    }),
  );
  const joined: Joined[] = [];
  for (const outcome of outcomes) {
    if (isRefusal(outcome)) return outcome;
    joined.push(outcome);
  }
  return joined;
}

/** A client that cannot send subscribe commands names its channels when it connects. */
function grantAsked(
  session: Session,
  request: ConnectRequest,
  grants: Map<string, SubscribeGrant>,
): Refusal | undefined {
  for (const channel of Object.keys(request.subs ?? {})) {
    if (grants.has(channel)) continue;
    const rules = session.hub.namespaces.resolve(channel);
    if (isRefusal(rules)) return rules;
    if (!isAllowedByRules(session, channel, rules)) return replyErrors.permissionDenied;
    grants.set(channel, {});
  }
  return undefined;
}

function connectResult(
  session: Session,
  credentials: Credentials,
  joined: readonly Joined[],
): ConnectResult {
  const { hub, transport, id, sessionId } = session;
  const { options, clock } = hub;
  const { expireAt = 0, serverSideRefresh, data } = credentials;
  const pings = options.pingIntervalMs > 0 && !transport.pingsNatively && transport.quietMs === 0;
  return {
    client: id,
    version: hub.version,
    ...(serverSideRefresh === true ? {} : expiryMembers(expireAt, clock.now())),
    ...(data === undefined ? {} : { data }),
    ...(joined.length === 0 ? {} : { subs: resultsOf(joined) }),
    // Whole seconds on the wire; rounded up, so that no client waits too short for the next ping.
    ...(pings ? { ping: Math.ceil(options.pingIntervalMs / 1000) } : {}),
    ...(pings && !transport.info.unidirectional ? { pong: true } : {}),
    ...(sessionId === '' ? {} : { session: sessionId }),
    ...(sessionId === '' || transport.info.unidirectional ? {} : { node: hub.nodeId }),
    ...(options.connectIncludeServerTime ? { time: clock.now() } : {}),
  };
}

function resultsOf(joined: readonly Joined[]): Record<string, SubscribeResult> {
  const results = Object.create(null) as Record<string, SubscribeResult>;
  for (const { subscription, result } of joined) results[subscription.channel] = result;
  return results;
}
