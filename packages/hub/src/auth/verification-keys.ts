import type { KeyObject } from 'node:crypto';
import type { CryptoKey } from 'jose';
import type { Soon } from '../soon.ts';
import type { JwsHeader, JwtAlgorithm } from './compact-jws.ts';
import type { RegisteredClaims } from './token-claims.ts';
import type { TokenRefusal } from './token-refusal.ts';

/** A `KeyObject` is a shared secret, for HMAC. */
export type VerificationKey = CryptoKey | KeyObject;

/**
 * Finds the keys that may have signed a token. Every key is bound to one algorithm when it is
 * imported, so that a token can never choose how a key is used.
 */
export interface VerificationKeys {
  /** For log lines and errors: what tokens may be signed with. */
  readonly algorithms: readonly JwtAlgorithm[];
  /**
   * @param claims not verified yet.
   * @returns one or more keys for exactly `header.alg`, to be tried in order.
   */
  find(
    header: JwsHeader,
    claims: RegisteredClaims,
  ): Soon<readonly VerificationKey[] | TokenRefusal>;
}

interface ImportParameters {
  readonly name: string;
  readonly hash?: string;
  readonly namedCurve?: string;
}

/** WebCrypto's import parameters for each algorithm (RFC 7518 §3.1, RFC 8037). */
export const importParameters: Readonly<Record<JwtAlgorithm, ImportParameters>> = {
  HS256: { name: 'HMAC', hash: 'SHA-256' },
  HS384: { name: 'HMAC', hash: 'SHA-384' },
  HS512: { name: 'HMAC', hash: 'SHA-512' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  RS384: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' },
  RS512: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384' },
  ES512: { name: 'ECDSA', namedCurve: 'P-521' },
  EdDSA: { name: 'Ed25519' },
  Ed25519: { name: 'Ed25519' },
};

/** Smallest RSA modulus that may be used with RS256 and its siblings (RFC 7518 §3.3). */
export const minRsaBits = 2048;
