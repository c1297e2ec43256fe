import type { JwtVerifierOptions } from '@holdfast/hub';
import type { Config } from './schema.ts';

type TokenConfig = Config['client']['token'];

/** Everything about a verifier that is configured; how it reads key sets is its own business. */
type ConfiguredOptions = Omit<JwtVerifierOptions, 'maxTokenBytes' | 'jwks' | 'clock' | 'logger'>;

/** Whether any key to verify tokens with is configured. */
export function hasTokenKey(token: TokenConfig): boolean {
  return (
    !token.hmac_secret_key.isEmpty ||
    token.rsa_public_key !== '' ||
    token.ecdsa_public_key !== '' ||
    token.ed25519_public_key !== '' ||
    token.jwks_public_endpoint !== ''
  );
}

/**
 * The options of the two verifiers. `connection` is missing when no key is configured, `subscription`
 * unless subscription tokens have keys of their own.
 */
export function toTokenOptions({ client }: Config): {
  readonly connection?: ConfiguredOptions;
  readonly subscription?: ConfiguredOptions;
} {
  return {
    ...((hasTokenKey(client.token) || client.insecure_skip_token_signature_verify) && {
      connection: verifierOptions(client.token, client),
    }),
    ...(client.subscription_token.enabled && {
      subscription: verifierOptions(client.subscription_token, client),
    }),
  };
}

/** The options of the verifier of one section, with or without a key. */
export function verifierOptions(token: TokenConfig, client: Config['client']): ConfiguredOptions {
  const all: Required<ConfiguredOptions> = {
    hmacSecretKey: token.hmac_secret_key.reveal(),
    hmacPreviousSecretKey: token.hmac_previous_secret_key.reveal(),
    hmacPreviousSecretKeyValidUntil: token.hmac_previous_secret_key_valid_until,
    rsaPublicKey: token.rsa_public_key,
    ecdsaPublicKey: token.ecdsa_public_key,
    ed25519PublicKey: token.ed25519_public_key,
    jwksPublicEndpoint: token.jwks_public_endpoint,
    insecureSkipJwksEndpointSafetyCheck: token.insecure_skip_jwks_endpoint_safety_check,
    audience: token.audience,
    audienceRegex: token.audience_regex,
    issuer: token.issuer,
    issuerRegex: token.issuer_regex,
    userIdClaim: token.user_id_claim,
    expLeewayMs: token.exp_leeway.ms,
    nbfLeewayMs: token.nbf_leeway.ms,
    insecureSkipTokenSignatureVerify: client.insecure_skip_token_signature_verify,
    insecure: client.insecure,
  };
  // To the verifier an empty text is a mistake (an unset variable), here it means "not set".
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
}
