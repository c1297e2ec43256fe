import { importJWK, type CryptoKey, type JWK } from 'jose';
import { type JsonObject, type JwtAlgorithm, isJsonObject, maxKidChars } from './compact-jws.ts';
import { minRsaBits } from './verification-keys.ts';

/** Keys beyond it are left out; no issuer has so many. */
const maxKeys = 256;

const curves: Readonly<Record<string, readonly JwtAlgorithm[]>> = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
  Ed25519: ['EdDSA', 'Ed25519'],
};

/** One public key of a key set, imported when a token first needs it. */
export class JwksKey {
  readonly algorithms: readonly JwtAlgorithm[];
  readonly #jwk: JWK;
  readonly #imported = new Map<JwtAlgorithm, Promise<CryptoKey>>();

  constructor(jwk: JWK, algorithms: readonly JwtAlgorithm[]) {
    this.#jwk = jwk;
    this.algorithms = algorithms;
  }

  /**
   * The key for one of its algorithms; the same promise every time.
   * @throws when the set holds numbers that are no such key, or an RSA key that is too short.
   */
  import(algorithm: JwtAlgorithm): Promise<CryptoKey> {
    let key = this.#imported.get(algorithm);
    if (!key) {
      key = importPublicJwk(this.#jwk, algorithm);
      this.#imported.set(algorithm, key);
    }
    return key;
  }
}

async function importPublicJwk(jwk: JWK, algorithm: JwtAlgorithm): Promise<CryptoKey> {
  const key = (await importJWK(jwk, algorithm)) as CryptoKey;
  const { modulusLength } = key.algorithm as { readonly modulusLength?: number };
  if (modulusLength === undefined || modulusLength >= minRsaBits) return key;
  throw new Error(`it has ${modulusLength} bits, at least ${minRsaBits} are needed`);
}

/** Keys by `kid`; several may share one when they are for different algorithms. */
export type JwksKeys = ReadonlyMap<string, readonly JwksKey[]>;

/**
 * Reads a JSON Web Key Set (RFC 7517 §5). Members that cannot verify signatures are left out:
 * encryption keys, symmetric and private keys, unknown types, keys without `kid`.
 * @returns what is wrong, as text, when the document is no key set or has no usable key.
 */
export function parseJwks(text: string): JwksKeys | string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return 'answered with something that is not JSON';
  }
  if (!isJsonObject(document) || !Array.isArray(document.keys)) {
    return 'answered with JSON that is not a key set (no list "keys")';
  }
  const keys = new Map<string, JwksKey[]>();
  for (const member of document.keys.slice(0, maxKeys) as unknown[]) {
    const read = isJsonObject(member) ? readKey(member) : undefined;
    if (read) keys.set(read.kid, [...(keys.get(read.kid) ?? []), read.key]);
  }
  return keys.size > 0 ? keys : 'answered with a key set without a usable signature key';
}

function readKey(member: JsonObject): { readonly kid: string; readonly key: JwksKey } | undefined {
  const { kid, use, key_ops: operations, alg, d } = member;
  if (typeof kid !== 'string' || kid === '' || kid.length > maxKidChars) return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  if (Array.isArray(operations) && !operations.includes('verify')) return undefined;
  // A published private key has been seen by everyone.
  if (d !== undefined) return undefined;
  const family = readFamily(member);
  if (!family) return undefined;
  const algorithms =
    alg === undefined ? family.algorithms : family.algorithms.filter((each) => each === alg);
  return algorithms.length > 0 ? { kid, key: new JwksKey(family.jwk, algorithms) } : undefined;
}

/** Takes over the public numbers alone: nothing else in the document has a say. */
function readFamily({
  kty,
  n,
  e,
  crv,
  x,
  y,
}: JsonObject): { readonly jwk: JWK; readonly algorithms: readonly JwtAlgorithm[] } | undefined {
  if (kty === 'RSA' && typeof n === 'string' && typeof e === 'string') {
    return { jwk: { kty, n, e }, algorithms: ['RS256', 'RS384', 'RS512'] };
  }
  if (typeof crv !== 'string' || typeof x !== 'string' || !Object.hasOwn(curves, crv)) {
    return undefined;
  }
  const algorithms = curves[crv] ?? [];
  if (kty === 'EC' && crv !== 'Ed25519' && typeof y === 'string') {
    return { jwk: { kty, crv, x, y }, algorithms };
  }
  if (kty === 'OKP' && crv === 'Ed25519') return { jwk: { kty, crv, x }, algorithms };
  return undefined;
}
