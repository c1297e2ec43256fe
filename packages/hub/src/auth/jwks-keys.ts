import type { CryptoKey } from 'jose';
import type { Clock } from '../clock.ts';
import type { LabelledCounter } from '../metrics.ts';
import type { JwtAlgorithm } from './compact-jws.ts';
import { type JwksFetch, createJwksFetch, JwksFetchError } from './jwks-fetch.ts';
import type { JwksKey } from './jwks-document.ts';
import { createJwksUrlResolver } from './jwks-url.ts';
import { type JwtVerifierOptions, defaultJwksOptions } from './jwt-options.ts';
import { KeySetCache } from './key-set-cache.ts';
import type { ThrottledLog } from './throttled-log.ts';
import { TokenOptionError } from './token-option-error.ts';
import { quote, TokenRefusal } from './token-refusal.ts';
import type { VerificationKeys } from './verification-keys.ts';

const algorithms: readonly JwtAlgorithm[] = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/**
 * Keys from the issuer's key set. A key counts only for tokens whose claims lead to the URL it was
 * read from: a `kid` alone names nothing (two tenants may use the same).
 * @throws TokenOptionError
 */
export function createJwksKeys(
  options: JwtVerifierOptions,
  ports: { readonly clock: Clock; readonly log: ThrottledLog; readonly reads: LabelledCounter },
): VerificationKeys {
  const jwks = { ...defaultJwksOptions, ...options.jwks };
  for (const [name, limit] of Object.entries(jwks)) {
    if (typeof limit === 'number' && !(limit > 0)) {
      throw new TokenOptionError(`jwks.${name}`, 'must be above 0');
    }
  }
  const resolveUrl = createJwksUrlResolver(options);
  const fetch = limitConcurrency(jwks.fetch ?? createJwksFetch(jwks), jwks.maxConcurrentReads);
  const sets = new KeySetCache({ ...ports, options: jwks, fetch }, jwks.maxKeySets);

  return {
    algorithms,
    async find({ alg, kid }, claims) {
      if (!algorithms.includes(alg)) {
        return new TokenRefusal('algorithm', `"alg" is ${alg}, which a public key set cannot have`);
      }
      if (kid === undefined) {
        return new TokenRefusal('unknown_key', 'the header has no "kid" to find its key by');
      }
      const target = resolveUrl(claims);
      if (target instanceof TokenRefusal) return target;
      const set = sets.at(target);
      const found = await set.find(kid);
      if (found === 'unknown') {
        return new TokenRefusal('unknown_key', `the key set has no key ${quote(kid)}`);
      }
      if (found === 'unavailable') {
        const why = set.failure ?? `key ${quote(kid)} may be newer than the last read`;
        return new TokenRefusal('keys_unavailable', why);
      }
      return importFor(found, { alg, kid });
    },
  };
}

/** Tokens can lead to many URLs; what they cost at one time is bounded here. */
function limitConcurrency(fetch: JwksFetch, maxConcurrent: number): JwksFetch {
  let running = 0;
  return async (url, options) => {
    if (running >= maxConcurrent) {
      throw new JwksFetchError(`not tried, ${maxConcurrent} other reads are under way`);
    }
    running += 1;
    try {
      return await fetch(url, options);
    } finally {
      running -= 1;
    }
  };
}

async function importFor(
  keys: readonly JwksKey[],
  { alg, kid }: { readonly alg: JwtAlgorithm; readonly kid: string },
): Promise<readonly CryptoKey[] | TokenRefusal> {
  const matching = keys.filter(({ algorithms }) => algorithms.includes(alg));
  if (matching.length === 0) {
    const allowed = keys.flatMap((key) => key.algorithms).join(', ');
    const detail = `"alg" is ${alg}, but key ${quote(kid)} is for ${allowed}`;
    return new TokenRefusal('algorithm', detail);
  }
  try {
    return await Promise.all(matching.map((key) => key.import(alg)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return new TokenRefusal('keys_unavailable', `key ${quote(kid)} cannot be used: ${why}`);
  }
}
