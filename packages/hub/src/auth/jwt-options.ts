import type { Clock } from '../clock.ts';
import type { Logger } from '../hub.ts';
import type { JwksFetch } from './jwks-fetch.ts';

/**
 * How tokens are checked. The upper part is Centrifugo's `client.token` section in camel case. An
 * empty string means "not set", except for keys, where it is refused: it is what a missing
 * environment variable looks like.
 */
export interface JwtVerifierOptions {
  /** Verifies HS256, HS384 and HS512. At least 32 random bytes are advised. */
  readonly hmacSecretKey?: string;
  /** The secret before the last rotation, accepted beside the current one. */
  readonly hmacPreviousSecretKey?: string;
  /** Unix seconds from which the previous secret no longer counts. @defaultValue 0 (no end) */
  readonly hmacPreviousSecretKeyValidUntil?: number;
  /** PEM; verifies RS256, RS384 and RS512. At least 2048 bits. */
  readonly rsaPublicKey?: string;
  /** PEM; its curve decides: P-256 verifies ES256, P-384 ES384, P-521 ES512. */
  readonly ecdsaPublicKey?: string;
  /** PEM; verifies EdDSA. Centrifugo has Ed25519 in key sets only. */
  readonly ed25519PublicKey?: string;
  /**
   * URL of a JSON Web Key Set (RFC 7517 §5), `https:` or `http:` on a loopback host. May have
   * `{{name}}` places that are filled from named groups of `issuerRegex` and `audienceRegex`, each
   * of which must then list its allowed values: `(?<realm>staff|customers)`. Once set, it verifies
   * every token and the keys above are not used.
   */
  readonly jwksPublicEndpoint?: string;
  /**
   * Let groups that fill `jwksPublicEndpoint` match more than a list of values. A token can then
   * choose whose keys it is verified with, among everything that the pattern accepts: only for a
   * host on which every such path is trusted. Values are `A-Z a-z 0-9 _ -` still. @defaultValue false
   */
  readonly insecureSkipJwksEndpointSafetyCheck?: boolean;
  /** `aud` must be or contain this. */
  readonly audience?: string;
  /** `aud` must match, or contain a match. Go's `(?P<name>…)` is understood. */
  readonly audienceRegex?: string;
  /** `iss` must be this. */
  readonly issuer?: string;
  /** `iss` must match. */
  readonly issuerRegex?: string;
  /** Take the user id from this claim; letters and underscores. @defaultValue 'sub' */
  readonly userIdClaim?: string;
  /**
   * Believe tokens without looking at their signature. Refused unless `insecure` is set as well:
   * whoever can reach the server is then whoever they say they are. @defaultValue false
   */
  readonly insecureSkipTokenSignatureVerify?: boolean;
  /** The server's `client.insecure`. @defaultValue false */
  readonly insecure?: boolean;

  /**
   * How long after `exp` a token still counts, for issuers whose clocks are behind. What a token
   * gives then expires that much later too. 0 as in Centrifugo: a client whose token has just
   * expired fetches a new one (error 109), which a leeway would only delay. @defaultValue 0
   */
  readonly expLeewayMs?: number;
  /**
   * How long before `nbf` a token already counts, for issuers whose clocks are ahead: their fresh
   * tokens would otherwise be refused again and again. @defaultValue 30000
   */
  readonly nbfLeewayMs?: number;
  /** @defaultValue 8192 */
  readonly maxTokenBytes?: number;
  readonly jwks?: Partial<JwksOptions>;
  readonly clock?: Clock;
  /** @defaultValue no logging */
  readonly logger?: Logger;
}

/** How key sets are read and kept. */
export interface JwksOptions {
  /** How long a key set counts as fresh. @defaultValue 3600000 (1 hour) */
  readonly cacheTtlMs: number;
  /** How long it is used when it cannot be read again. @defaultValue 86400000 (1 day) */
  readonly maxStaleMs: number;
  /** Least time between two reads of one URL, whatever tokens ask for. @defaultValue 5000 */
  readonly cooldownMs: number;
  /** For one read, from name resolution to the last byte. @defaultValue 5000 */
  readonly timeoutMs: number;
  /** @defaultValue 1048576 */
  readonly maxBytes: number;
  /** URLs whose key sets are kept; beyond it those that never worked go first. @defaultValue 1000 */
  readonly maxKeySets: number;
  /** Reads at the same time; tokens that would need one more are told to come again. @defaultValue 16 */
  readonly maxConcurrentReads: number;
  /** @defaultValue {@link createJwksFetch} with the limits above */
  readonly fetch?: JwksFetch;
}

/** Defaults of {@link JwksOptions}. */
export const defaultJwksOptions: JwksOptions = {
  cacheTtlMs: 3_600_000,
  maxStaleMs: 86_400_000,
  cooldownMs: 5_000,
  timeoutMs: 5_000,
  maxBytes: 1_048_576,
  maxKeySets: 1000,
  maxConcurrentReads: 16,
};
