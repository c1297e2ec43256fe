import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** Secrets that signatures of tracked keys may be made with. */
export interface SharedPollSecrets {
  readonly hmacSecretKey: string;
  readonly hmacPreviousSecretKey?: string;
  /** Unix seconds; 0 or absent: for as long as it is configured. */
  readonly hmacPreviousSecretKeyValidUntil?: number;
}

export interface SignedKeys {
  readonly user: string;
  readonly channel: string;
  /** In the order in which they were signed. */
  readonly keys: readonly string[];
}

/** Clocks of two servers differ: a signature counts a little longer than it says. */
const expiryLeewaySeconds = 5;
const pattern = /^(\d{1,12}):(\d{1,12}):([0-9a-f]{64})$/;

/**
 * Signs the permission of a user to track keys of a channel: `issued:expires:HMAC-SHA256`, times in
 * Unix seconds. The parts of what is signed are separated by NUL, which none of them contains.
 */
export function signTrackedKeys(
  secret: string,
  { user, channel, keys }: SignedKeys,
  { issuedAt, expireAt }: { readonly issuedAt: number; readonly expireAt: number },
): string {
  const keysHash = createHash('sha256').update(keys.join('\0')).digest('hex');
  const signed = [issuedAt, expireAt, user, channel, keysHash].join('\0');
  return `${issuedAt}:${expireAt}:${createHmac('sha256', secret).update(signed).digest('hex')}`;
}

export type SignatureCheck =
  | { readonly status: 'valid'; readonly expireAt: number }
  | { readonly status: 'invalid' }
  | { readonly status: 'expired' };

/** @param now - Unix seconds. Compares in constant time. */
export function checkSignature(
  signature: string,
  signed: SignedKeys,
  { secrets, now }: { readonly secrets: SharedPollSecrets; readonly now: number },
): SignatureCheck {
  const match = pattern.exec(signature);
  if (match === null) return { status: 'invalid' };
  const [issuedAt, expireAt] = [Number(match[1]), Number(match[2])];
  const isGenuine = acceptedSecrets(secrets, now).some((secret) => {
    const expected = signTrackedKeys(secret, signed, { issuedAt, expireAt });
    return isEqual(signature, expected);
  });
  if (!isGenuine) return { status: 'invalid' };
  return now > expireAt + expiryLeewaySeconds
    ? { status: 'expired' }
    : { status: 'valid', expireAt };
}

function acceptedSecrets(secrets: SharedPollSecrets, now: number): readonly string[] {
  const { hmacSecretKey, hmacPreviousSecretKey = '' } = secrets;
  const until = secrets.hmacPreviousSecretKeyValidUntil ?? 0;
  const previous = until === 0 || now < until ? hmacPreviousSecretKey : '';
  return [hmacSecretKey, previous].filter((secret) => secret !== '');
}

function isEqual(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
