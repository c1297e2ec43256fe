import { HttpRefusal } from '@holdfast/http';
import { Disconnect, ReplyError } from '@holdfast/protocol';
import type { Hub } from '@holdfast/hub';
import { apiKeyOf, isFromWebPage } from '../api/api-key.ts';
import type { Config } from '../config/index.ts';
import { SecretComparer } from '../secret-comparer.ts';

/** Who sends an HTTP request, for endpoints beside the API's methods. */
export interface Authentication {
  /** Whether it comes from the application's own servers: it has the API key. */
  readonly authenticateServer: (request: Request) => boolean;
  /**
   * The user who sends it, by the same rules as a connection: the token in `Authorization: Bearer`, or
   * the header of a trusted proxy (`client.user_id_http_header`). Undefined without a token, and for the
   * anonymous user, who has nothing of their own.
   * @throws HttpRefusal 401 when the token is refused, 503 when the keys of tokens cannot be read now: it says nothing about the token
   */
  readonly authenticateUser: (request: Request) => Promise<string | undefined>;
}

/** How requests are authenticated with this configuration. */
export function createAuthentication(
  config: Config,
  hub: Pick<Hub, 'authenticate'>,
): Authentication {
  const { http_api: api, client } = config;
  const key = api.key.reveal();
  const comparer = key === '' ? undefined : new SecretComparer(key);
  const trustedHeader = client.user_id_http_header;
  return {
    authenticateServer(request) {
      if (api.insecure) return !isFromWebPage((name) => request.headers.get(name) ?? undefined);
      const candidate = apiKeyOf({
        header: (name) => request.headers.get(name) ?? undefined,
        query: (name) => new URL(request.url).searchParams.get(name) ?? undefined,
      });
      return candidate !== undefined && comparer?.matches(candidate) === true;
    },
    async authenticateUser(request) {
      const trusted = trustedHeader === '' ? '' : (request.headers.get(trustedHeader) ?? '');
      if (trusted !== '') return trusted;
      const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? [];
      if (token === undefined) return undefined;
      const credentials = await hub.authenticate(token);
      if (credentials instanceof ReplyError && credentials.temporary) throw cannotCheck();
      if (credentials instanceof ReplyError)
        throw refuse('the token has expired, or is not valid yet');
      if (credentials instanceof Disconnect) {
        throw refuse(
          'the token is not taken here: the metric holdfast_refused_tokens_total says why, or its user is blocked',
        );
      }
      return credentials.user === '' ? undefined : credentials.user;
    },
  };
}

function refuse(message: string): HttpRefusal {
  const headers = { 'www-authenticate': 'Bearer error="invalid_token"' };
  return new HttpRefusal({ status: 401, code: 'unauthorized', headers }, message);
}

function cannotCheck(): HttpRefusal {
  return new HttpRefusal(
    {
      status: 503,
      code: 'authentication_unavailable',
      retryable: true,
      headers: { 'retry-after': '5' },
    },
    'tokens cannot be checked right now, this one may be fine: try again',
  );
}
