import type { ChannelOverrides, Credentials, SubscribeGrant, TokenIdentity } from '../events.ts';
import { ClaimReader } from './claim-reader.ts';
import type { CompactJws } from './compact-jws.ts';
import { quote, TokenRefusal } from './token-refusal.ts';
import type { SubscriptionTokenClaims } from './token-verifier.ts';

/** Claims that decide whether a token counts, whichever kind it is (RFC 7519 §4.1). */
export interface RegisteredClaims {
  readonly issuer: string | undefined;
  readonly audiences: readonly string[];
  /** Unix seconds. */
  readonly expiresAt: number | undefined;
  /** Unix seconds. */
  readonly notBefore: number | undefined;
  /** `jti` and `iat`, which decide once tokens are revoked. */
  readonly identity: TokenIdentity;
}

export interface ParsedToken<Value> {
  readonly registered: RegisteredClaims;
  readonly value: Value;
}

export interface ClaimRules {
  /** The claim that holds the user id. @defaultValue 'sub' */
  readonly userIdClaim?: string | undefined;
  /** Added to `exp` where it becomes the expiry of a connection or subscription. @defaultValue 0 */
  readonly expLeewaySeconds?: number | undefined;
}

type Jws = Pick<CompactJws, 'claims' | 'claimsText'>;

/** Reads a connection token. Checks types and shape, not time, audience or issuer. */
export function parseConnectionClaims(
  jws: Jws,
  rules: ClaimRules = {},
): ParsedToken<Credentials> | TokenRefusal {
  const problems: string[] = [];
  const claims = new ClaimReader(jws.claims, jws.claimsText, { problems });
  const registered = readRegistered(claims);
  const info = claims.payload('info');
  const meta = claims.json('meta');
  const subs = readSubs(claims, problems);
  const channel = claims.string('channel');
  const value: Credentials = {
    user: readUser(claims, rules),
    ...(info && { info }),
    ...readExpireAt(claims, registered, rules),
    ...(subs && { subs }),
    ...(meta && { meta }),
    token: registered.identity,
  };
  if (problems[0] !== undefined) return new TokenRefusal('claims', problems[0]);
  if (channel) {
    const detail = `"channel" is ${quote(channel)}: a subscription token cannot open a connection`;
    return new TokenRefusal('wrong_kind', detail);
  }
  return { registered, value };
}

/** Reads a subscription token. Checks types and shape, not time, audience or issuer. */
export function parseSubscriptionClaims(
  jws: Jws,
  rules: ClaimRules = {},
): ParsedToken<SubscriptionTokenClaims> | TokenRefusal {
  const problems: string[] = [];
  const claims = new ClaimReader(jws.claims, jws.claimsText, { problems });
  const registered = readRegistered(claims);
  const value: SubscriptionTokenClaims = {
    user: readUser(claims, rules),
    channel: claims.string('channel') ?? '',
    client: claims.string('client') ?? '',
    grant: {
      ...readExpireAt(claims, registered, rules),
      ...readGrant(claims),
      token: registered.identity,
    },
  };
  if (problems[0] !== undefined) return new TokenRefusal('claims', problems[0]);
  if (value.channel === '') {
    const detail = 'no "channel": a connection token cannot open a subscription';
    return new TokenRefusal('wrong_kind', detail);
  }
  return { registered, value };
}

function readRegistered(claims: ClaimReader): RegisteredClaims {
  const id = claims.string('jti');
  const issuedAt = claims.unixSeconds('iat');
  return {
    identity: {
      ...(id === undefined ? {} : { id }),
      ...(issuedAt === undefined ? {} : { issuedAt }),
    },
    issuer: claims.string('iss'),
    audiences: claims.stringOrStrings('aud') ?? [],
    expiresAt: claims.unixSeconds('exp'),
    notBefore: claims.unixSeconds('nbf'),
  };
}

function readUser(claims: ClaimReader, { userIdClaim }: ClaimRules): string {
  // Numbers are only taken from a claim of the operator's choosing (as Centrifugo does): `sub` is a
  // string by RFC 7519 §4.1.2.
  const user = userIdClaim ? claims.stringOrInteger(userIdClaim) : claims.string('sub');
  return user ?? '';
}

/** `expire_at` overrides `exp`; 0 or below means never. */
function readExpireAt(
  claims: ClaimReader,
  { expiresAt }: RegisteredClaims,
  { expLeewaySeconds = 0 }: ClaimRules,
): { readonly expireAt?: number } {
  const override = claims.unixSeconds('expire_at');
  if (override !== undefined) return override > 0 ? { expireAt: override } : {};
  return expiresAt === undefined ? {} : { expireAt: expiresAt + expLeewaySeconds };
}

/** `subs` wins over `channels`, which it is the detailed form of. */
function readSubs(
  claims: ClaimReader,
  problems: string[],
): Readonly<Record<string, SubscribeGrant>> | undefined {
  const channels = claims.strings('channels') ?? [];
  const subs = claims.object('subs');
  const names = subs?.names() ?? [];
  const grants: [string, SubscribeGrant][] =
    subs && names.length > 0
      ? names.map((name) => [name, readSub(subs, name)])
      : channels.map((name) => [name, {}]);
  if (grants.some(([name]) => name === '' || !name.isWellFormed())) {
    problems.push('a server-side channel has an empty or broken name');
  }
  // fromEntries defines own members, also for a channel called "__proto__".
  return grants.length > 0 ? Object.fromEntries(grants) : undefined;
}

function readSub(subs: ClaimReader, name: string): SubscribeGrant {
  const sub = subs.object(name);
  return sub ? readGrant(sub) : {};
}

function readGrant(claims: ClaimReader): SubscribeGrant {
  const info = claims.payload('info');
  const data = claims.payload('data');
  const overrides = readOverrides(claims.object('override'));
  return { ...(info && { info }), ...(data && { data }), ...(overrides && { overrides }) };
}

const overrideClaims = {
  presence: 'presence',
  join_leave: 'joinLeave',
  force_push_join_leave: 'forcePushJoinLeave',
  force_positioning: 'forcePositioning',
  force_recovery: 'forceRecovery',
} as const satisfies Record<string, keyof ChannelOverrides>;

function readOverrides(override: ClaimReader | undefined): Partial<ChannelOverrides> | undefined {
  if (!override) return undefined;
  const overrides: { -readonly [Name in keyof ChannelOverrides]?: boolean } = {};
  for (const [claim, option] of Object.entries(overrideClaims)) {
    const wrapper = override.object(claim);
    // Go issuers leave out `value` when it is false, so an empty wrapper means false.
    if (wrapper) overrides[option] = wrapper.boolean('value') ?? false;
  }
  return Object.keys(overrides).length > 0 ? overrides : undefined;
}
