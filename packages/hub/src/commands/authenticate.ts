import { type ConnectRequest, disconnects } from '@holdfast/protocol';
import type { Answer, Credentials } from '../events.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import { type Soon, whenThere } from '../soon.ts';

const anonymous: Credentials = { user: '' };

/**
 * Who is connecting: a trusted header, a token, the application's word, or nobody where that is
 * allowed. In insecure mode tokens are still checked, but nothing expires.
 */
export function authenticate(
  session: Session,
  request: ConnectRequest,
): Soon<Credentials | Refusal> {
  const { options } = session.hub;
  return whenThere(identify(session, request), (identified) => {
    if (isRefusal(identified)) return identified;
    const credentials = { serverSideRefresh: options.serverSideRefresh, ...identified };
    return options.insecure ? { ...credentials, expireAt: 0 } : credentials;
  });
}

function identify(session: Session, request: ConnectRequest): Soon<Credentials | Refusal> {
  const { hub, transport } = session;
  const { options } = hub;
  const token = request.token ?? '';
  if (options.userIdHttpHeader !== '') {
    const user = transport.info.headers[options.userIdHttpHeader.toLowerCase()];
    if (typeof user === 'string' && user !== '') return { user };
  }
  if (token !== '' && hub.tokens !== undefined) {
    return whenThere(hub.tokens.verifyConnection(token), (credentials) => {
      if (isRefusal(credentials) || credentials.user !== '') return credentials;
      return options.disallowAnonymousConnectionTokens ? disconnects.permissionDenied : credentials;
    });
  }
  return whenThere(askApplication(session, request), (answer) => {
    if (answer !== undefined) return answer;
    if (token !== '') return disconnects.invalidToken;
    const isOpen = options.insecure || options.allowAnonymousConnectWithoutToken;
    return isOpen ? anonymous : disconnects.badRequest;
  });
}

function askApplication(
  session: Session,
  request: ConnectRequest,
): Soon<Answer<'connecting'> | undefined> {
  const { hub, transport } = session;
  if (!hub.isAsked('connecting')) return undefined;
  return hub.ask('connecting', {
    client: session.id,
    transport: transport.info,
    token: request.token ?? '',
    name: request.name ?? '',
    version: request.version ?? '',
    emulatedHeaders: request.headers ?? {},
    channels: Object.keys(request.subs ?? {}),
    signal: session.signal,
    ...(request.data === undefined ? {} : { data: request.data }),
  });
}
