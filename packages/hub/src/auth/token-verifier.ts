import type { Disconnect, ReplyError } from '@holdfast/protocol';
import type { Credentials, SubscribeGrant } from '../events.ts';
import type { Soon } from '../soon.ts';

/** What a subscription token says. */
export interface SubscriptionTokenClaims {
  readonly user: string;
  readonly channel: string;
  /** Legacy claim: the one connection that may use the token; `''` when absent. */
  readonly client: string;
  readonly grant: SubscribeGrant;
}

/**
 * Checks tokens. Refusals are values: `replyErrors.tokenExpired` for `exp` and `nbf`, and
 * `disconnects.invalidToken` for everything that a fresh token of the same issuer would not cure.
 * Key trouble that is not the client's fault (a JWKS endpoint that is down) is
 * `replyErrors.internal`, which clients retry. Whoever need not wait for keys answers at once: clients
 * that come back all together are connected sooner.
 */
export interface TokenVerifier {
  verifyConnection(token: string): Soon<Credentials | ReplyError | Disconnect>;
  verifySubscription(token: string): Soon<SubscriptionTokenClaims | ReplyError | Disconnect>;
}
