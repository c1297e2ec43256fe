import { SignJWT } from 'jose';

/** Options that one subscription may override, with their names in tokens. */
export type TokenOverrides = Partial<
  Readonly<
    Record<
      'presence' | 'join_leave' | 'force_push_join_leave' | 'force_positioning' | 'force_recovery',
      { readonly value: boolean }
    >
  >
>;

/** What a subscription brings along, as claims. */
export interface TokenSubscription {
  /** Any JSON; other clients see it in presence, join and leave. */
  readonly info?: unknown;
  /** Any JSON; the client gets it in the subscribe result. */
  readonly data?: unknown;
  readonly override?: TokenOverrides;
}

export interface TokenOptions extends TokenSubscription {
  /** Application user id; `''` is the anonymous user. */
  readonly user: string;
  /** The server's `client.token.hmac_secret_key`. */
  readonly secret: string;
  /** @defaultValue 'HS256' */
  readonly algorithm?: 'HS256' | 'HS384' | 'HS512';
  /** Makes it a subscription token for this channel. */
  readonly channel?: string;
  /** Server-side subscriptions; connection tokens only. */
  readonly channels?: readonly string[];
  /** As `channels`, with what each brings along. */
  readonly subs?: Readonly<Record<string, TokenSubscription>>;
  /** Any JSON, for the backend alone; connection tokens only. */
  readonly meta?: unknown;
  /** Seconds until `exp`. Without it the token never expires, and neither does what it opens. */
  readonly ttlSeconds?: number;
  /** Unix seconds at which the connection or subscription expires, in place of `exp`; 0: never. */
  readonly expireAt?: number;
  readonly audience?: string;
  readonly issuer?: string;
  /** Name of the claim for the user id. @defaultValue 'sub' */
  readonly userIdClaim?: string;
  /** Unix milliseconds. @defaultValue the machine's clock */
  readonly now?: number;
}

/**
 * Makes a token as an application's backend would: a connection token, or with `channel` a
 * subscription token.
 * @throws RangeError when the options contradict each other or the secret is empty.
 * @example
 * const token = await createToken({ user: '42', secret, ttlSeconds: 600 });
 */
export async function createToken(options: TokenOptions): Promise<string> {
  const { secret, algorithm = 'HS256' } = options;
  if (secret === '') throw new RangeError('the secret is empty');
  return new SignJWT(claimsOf(options))
    .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
    .sign(Buffer.from(secret));
}

function claimsOf(options: TokenOptions): Record<string, unknown> {
  const { user, channel, channels, subs, meta, info, data, override } = options;
  const { ttlSeconds, expireAt, audience, issuer, userIdClaim = 'sub', now = Date.now() } = options;
  const isSubscription = channel !== undefined;
  if (channel === '') throw new RangeError('the channel is empty');
  if (isSubscription && (channels ?? subs ?? meta) !== undefined) {
    throw new RangeError('channels, subs and meta belong to connection tokens, channel does not');
  }
  if (!isSubscription && (data ?? override) !== undefined) {
    throw new RangeError('data and override belong to subscription tokens: they need a channel');
  }
  if (ttlSeconds !== undefined && !(Number.isSafeInteger(ttlSeconds) && ttlSeconds > 0)) {
    throw new RangeError('the time to live must be whole seconds above 0');
  }
  const issuedAt = Math.floor(now / 1000);
  const claims = {
    [userIdClaim || 'sub']: user,
    iat: issuedAt,
    exp: ttlSeconds === undefined ? undefined : issuedAt + ttlSeconds,
    expire_at: expireAt,
    iss: issuer || undefined,
    aud: audience || undefined,
    channel,
    channels,
    subs,
    info,
    data,
    override,
    meta,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}
