import { type ConnectRequest, disconnects } from '@holdfast/protocol';
import type { Credentials } from '../events.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import type { Session } from '../session.ts';

const anonymous: Credentials = { user: '' };

/**
 * Who is connecting: a trusted header, a token, the application's word, or nobody where that is
 * allowed. In insecure mode tokens are still checked, but nothing expires.
 */
export async function authenticate(
  session: Session,
  request: ConnectRequest,
): Promise<Credentials | Refusal> {
  const { options } = session.hub;
  const identified = await identify(session, request);
  if (isRefusal(identified)) return identified;
  const credentials = { serverSideRefresh: options.serverSideRefresh, ...identified };
  return options.insecure ? { ...credentials, expireAt: 0 } : credentials;
}

async function identify(session: Session, request: ConnectRequest): Promise<Credentials | Refusal> {
  const { hub, transport } = session;
  const { options } = hub;
  const token = request.token ?? '';
  if (options.userIdHttpHeader !== '') {
    const user = transport.info.headers[options.userIdHttpHeader.toLowerCase()];
    if (typeof user === 'string' && user !== '') return { user };
  }
  if (token !== '' && hub.tokens !== undefined) {
    const credentials = await hub.tokens.verifyConnection(token);
    if (isRefusal(credentials) || credentials.user !== '') return credentials;
    return options.disallowAnonymousConnectionTokens ? disconnects.permissionDenied : credentials;
  }
  if (hub.isAsked('connecting')) {
    const answer = await hub.ask('connecting', {
      client: session.id,
      transport: transport.info,
      token,
      name: request.name ?? '',
      version: request.version ?? '',
      emulatedHeaders: request.headers ?? {},
      channels: Object.keys(request.subs ?? {}),
      signal: session.signal,
      ...(request.data === undefined ? {} : { data: request.data }),
    });
    if (answer !== undefined) return answer;
  }
  if (token !== '') return disconnects.invalidToken;
  const isOpen = options.insecure || options.allowAnonymousConnectWithoutToken;
  return isOpen ? anonymous : disconnects.badRequest;
}
