import {
  createJwtVerifier,
  type JwtVerifier,
  type Logger,
  type TokenVerifier,
} from '@holdfast/hub';
import { toTokenOptions, type Config } from './config/index.ts';

/** A verifier whose keys and claims can change while it is in use. */
export class ReplaceableVerifier implements TokenVerifier {
  #verifier: JwtVerifier;

  constructor(verifier: JwtVerifier) {
    this.#verifier = verifier;
  }

  /** Counts anew when the verifier is replaced. */
  get metrics(): JwtVerifier['metrics'] {
    return this.#verifier.metrics;
  }

  verifyConnection(token: string): ReturnType<TokenVerifier['verifyConnection']> {
    return this.#verifier.verifyConnection(token);
  }

  verifySubscription(token: string): ReturnType<TokenVerifier['verifySubscription']> {
    return this.#verifier.verifySubscription(token);
  }

  /** From here on tokens are checked by the other one. */
  replaceWith(other: ReplaceableVerifier): void {
    this.#verifier = other.#verifier;
  }
}

/** The token verifiers of a hub; each is missing where the configuration has no key for it. */
export interface TokenVerifiers {
  readonly tokens?: ReplaceableVerifier;
  /** Set only when subscription tokens have keys of their own. */
  readonly subscriptionTokens?: ReplaceableVerifier;
}

/** @throws TokenOptionError when a key or an address cannot work. */
export function createTokenVerifiers(config: Config, logger: Logger): TokenVerifiers {
  const { connection, subscription } = toTokenOptions(config);
  const create = (options: NonNullable<typeof connection>): ReplaceableVerifier =>
    new ReplaceableVerifier(createJwtVerifier({ ...options, logger }));
  return {
    ...(connection && { tokens: create(connection) }),
    ...(subscription && { subscriptionTokens: create(subscription) }),
  };
}
