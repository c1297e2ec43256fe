import { type KeyObject, createHmac, sign } from 'node:crypto';

type SigningKey = string | KeyObject;

const digests: Readonly<Record<string, string>> = {
  256: 'sha256',
  384: 'sha384',
  512: 'sha512',
};

/** Base64url of a JSON value, or of a text as it is. */
export function encodePart(value: object | string): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return Buffer.from(text).toString('base64url');
}

/** Signs any text as a JWS part would be, with Node's own cryptography. */
export function signPart(signingInput: string, alg: string, key: SigningKey): string {
  const digest = digests[alg.slice(2)] ?? '';
  if (typeof key === 'string') {
    return createHmac(digest, key).update(signingInput).digest('base64url');
  }
  const data = Buffer.from(signingInput);
  if (alg.startsWith('Ed')) return sign(null, data, key).toString('base64url');
  return sign(digest, data, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}

export interface ForgedToken {
  /** Members beside `alg`; `alg` itself may be overridden, the signature keeps to `alg`. */
  readonly header?: object;
  /** Claims, or the payload as text. */
  readonly claims?: object | string;
  /** @defaultValue 'HS256' */
  readonly alg?: string;
  readonly key: SigningKey;
}

/** Makes a signed token of anything: what an issuer would write, or an attacker. */
export function forgeToken({ header = {}, claims = {}, alg = 'HS256', key }: ForgedToken): string {
  const signingInput = `${encodePart({ alg, typ: 'JWT', ...header })}.${encodePart(claims)}`;
  return `${signingInput}.${signPart(signingInput, alg, key)}`;
}
