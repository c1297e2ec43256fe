import { type KeyObject, createPublicKey, createSecretKey } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { JwtAlgorithm } from './compact-jws.ts';
import type { JwtVerifierOptions } from './jwt-options.ts';
import { TokenOptionError } from './token-option-error.ts';
import { TokenRefusal } from './token-refusal.ts';
import {
  type VerificationKey,
  type VerificationKeys,
  importParameters,
  minRsaBits,
} from './verification-keys.ts';

interface StaticKey {
  readonly key: VerificationKey;
  /** Unix seconds; 0: no end. */
  readonly validUntil: number;
}

const hmacAlgorithms = ['HS256', 'HS384', 'HS512'] as const;
const rsaAlgorithms = ['RS256', 'RS384', 'RS512'] as const;
const edwardsAlgorithms = ['EdDSA', 'Ed25519'] as const;
const curveAlgorithms: Readonly<Record<string, JwtAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/** Names of the options that {@link createStaticKeys} reads keys from. */
export const staticKeyOptions = [
  'hmacSecretKey',
  'hmacPreviousSecretKey',
  'rsaPublicKey',
  'ecdsaPublicKey',
  'ed25519PublicKey',
] as const;

/**
 * Imports the keys of the configuration, once for each algorithm that they are for.
 * @throws TokenOptionError for a key that cannot verify anything.
 */
export function createStaticKeys(options: JwtVerifierOptions, clock: Clock): VerificationKeys {
  const keys = new Map<JwtAlgorithm, StaticKey[]>();
  const add = (
    key: KeyObject,
    algorithms: readonly JwtAlgorithm[],
    { validUntil = 0 }: { readonly validUntil?: number } = {},
  ) => {
    for (const algorithm of algorithms) {
      const imported =
        key.type === 'secret'
          ? key
          : key.toCryptoKey(importParameters[algorithm], false, ['verify']);
      keys.set(algorithm, [...(keys.get(algorithm) ?? []), { key: imported, validUntil }]);
    }
  };

  const { hmacSecretKey, hmacPreviousSecretKey, rsaPublicKey, ecdsaPublicKey } = options;
  const { ed25519PublicKey, hmacPreviousSecretKeyValidUntil: validUntil = 0 } = options;
  if (hmacSecretKey !== undefined) {
    add(importSecret('hmacSecretKey', hmacSecretKey), hmacAlgorithms);
  }
  if (hmacPreviousSecretKey !== undefined) {
    if (hmacSecretKey === undefined) {
      throw new TokenOptionError('hmacPreviousSecretKey', 'needs hmacSecretKey, the current one');
    }
    if (!Number.isSafeInteger(validUntil) || validUntil < 0) {
      throw new TokenOptionError('hmacPreviousSecretKeyValidUntil', 'must be Unix seconds');
    }
    const previous = importSecret('hmacPreviousSecretKey', hmacPreviousSecretKey);
    add(previous, hmacAlgorithms, { validUntil });
  }
  if (rsaPublicKey !== undefined) add(importRsa('rsaPublicKey', rsaPublicKey), rsaAlgorithms);
  if (ecdsaPublicKey !== undefined) {
    const key = importPublic('ecdsaPublicKey', ecdsaPublicKey, 'ec');
    const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
    const algorithm = curveAlgorithms[curve];
    if (!algorithm) {
      throw new TokenOptionError('ecdsaPublicKey', `has the curve ${curve}, not P-256/384/521`);
    }
    add(key, [algorithm]);
  }
  if (ed25519PublicKey !== undefined) {
    add(importPublic('ed25519PublicKey', ed25519PublicKey, 'ed25519'), edwardsAlgorithms);
  }

  const algorithms = [...keys.keys()];
  return {
    algorithms,
    find({ alg }) {
      const candidates = keys.get(alg);
      if (!candidates) {
        const accepted = algorithms.join(', ');
        return new TokenRefusal(
          'algorithm',
          `"alg" is ${alg}, configured keys are for ${accepted}`,
        );
      }
      const nowSeconds = clock.now() / 1000;
      return candidates
        .filter(({ validUntil }) => validUntil === 0 || nowSeconds < validUntil)
        .map(({ key }) => key);
    },
  };
}

function importSecret(option: string, secret: string): KeyObject {
  if (secret === '') throw new TokenOptionError(option, 'is empty: anyone could sign tokens');
  if (secret.includes('-----BEGIN')) {
    const advice = 'put a public key into rsaPublicKey, ecdsaPublicKey or ed25519PublicKey';
    throw new TokenOptionError(option, `is a PEM key, which is not a shared secret; ${advice}`);
  }
  return createSecretKey(secret, 'utf8');
}

function importRsa(option: string, pem: string): KeyObject {
  const key = importPublic(option, pem, 'rsa');
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits >= minRsaBits) return key;
  throw new TokenOptionError(option, `has ${bits} bits, at least ${minRsaBits} are needed`);
}

function importPublic(option: string, pem: string, type: 'rsa' | 'ec' | 'ed25519'): KeyObject {
  if (pem === '') throw new TokenOptionError(option, 'is empty');
  if (pem.includes('PRIVATE KEY')) {
    throw new TokenOptionError(option, 'is a private key: configure the public one of the pair');
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    const advice = String.raw`with real line breaks (not the two characters \n)`;
    throw new TokenOptionError(option, `is not a public key in PEM, ${advice}`, { cause });
  }
  if (key.asymmetricKeyType === type) return key;
  throw new TokenOptionError(option, `is a key of type ${key.asymmetricKeyType}, not ${type}`);
}
