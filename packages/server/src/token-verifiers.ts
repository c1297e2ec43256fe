import { createJwtVerifier, type JwtVerifier, type Logger } from '@holdfast/hub';
import { toTokenOptions, type Config } from './config/index.ts';

/** The token verifiers of a hub; each is missing where the configuration has no key for it. */
export interface TokenVerifiers {
  readonly tokens?: JwtVerifier;
  /** Set only when subscription tokens have keys of their own. */
  readonly subscriptionTokens?: JwtVerifier;
}

/** @throws TokenOptionError when a key or an address cannot work. */
export function createTokenVerifiers(config: Config, logger: Logger): TokenVerifiers {
  const { connection, subscription } = toTokenOptions(config);
  return {
    ...(connection && { tokens: createJwtVerifier({ ...connection, logger }) }),
    ...(subscription && { subscriptionTokens: createJwtVerifier({ ...subscription, logger }) }),
  };
}
