import { createJwtVerifier, type JwtVerifier, type Logger } from '@holdfast/hub';
import type { Config } from './config/index.ts';
import { hasTokenKey } from './config/rules/token-rules.ts';

type TokenConfig = Config['client']['token'];

export interface TokenVerifiers {
  readonly tokens?: JwtVerifier;
  /** Set only when subscription tokens have keys of their own. */
  readonly subscriptionTokens?: JwtVerifier;
}

/**
 * The token verifiers that the configuration asks for: none without any key.
 *
 * @throws TokenOptionError when a key or an address cannot work.
 */
export function createTokenVerifiers(config: Config, logger: Logger): TokenVerifiers {
  const { client } = config;
  const create = (section: TokenConfig): JwtVerifier =>
    createJwtVerifier({
      ...keysOf(section),
      insecureSkipTokenSignatureVerify: client.insecure_skip_token_signature_verify,
      insecure: client.insecure,
      logger,
    });
  return {
    ...((hasTokenKey(client.token) || client.insecure_skip_token_signature_verify) && {
      tokens: create(client.token),
    }),
    ...(client.subscription_token.enabled && {
      subscriptionTokens: create(client.subscription_token),
    }),
  };
}

function keysOf(section: TokenConfig) {
  const set = {
    hmacSecretKey: section.hmac_secret_key.reveal(),
    hmacPreviousSecretKey: section.hmac_previous_secret_key.reveal(),
    rsaPublicKey: section.rsa_public_key,
    ecdsaPublicKey: section.ecdsa_public_key,
    jwksPublicEndpoint: section.jwks_public_endpoint,
    audience: section.audience,
    audienceRegex: section.audience_regex,
    issuer: section.issuer,
    issuerRegex: section.issuer_regex,
    userIdClaim: section.user_id_claim,
  };
  const present = Object.entries(set).filter(([, value]) => value !== '');
  return {
    ...(Object.fromEntries(present) as Partial<typeof set>),
    hmacPreviousSecretKeyValidUntil: section.hmac_previous_secret_key_valid_until,
    insecureSkipJwksEndpointSafetyCheck: section.insecure_skip_jwks_endpoint_safety_check,
  };
}
