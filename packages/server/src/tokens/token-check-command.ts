import {
  type Credentials,
  type SubscribeGrant,
  type SubscriptionTokenClaims,
  createJwtVerifier,
  systemClock,
  TokenRefusal,
} from '@holdfast/hub';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { explainRefusal } from './refusal-explanation.ts';
import {
  type TokenCommandResult,
  type TokenKind,
  type TokenSections,
  sectionFor,
} from './token-sections.ts';

/** Parsed options of `holdfast token check`. */
export interface TokenCheckOptions {
  readonly token: string;
  /** @defaultValue what the token itself says: with a channel it is for a subscription */
  readonly kind?: TokenKind;
}

/**
 * `holdfast token check`: what a token says and whether this configuration accepts it, or why not.
 * Shows claims, never a secret.
 */
export async function tokenCheckCommand(
  options: TokenCheckOptions,
  sections: TokenSections,
): Promise<TokenCommandResult> {
  const token = options.token.trim();
  const contents = decode(token);
  const kind = options.kind ?? (contents?.claims.channel ? 'subscription' : 'connection');
  const section = sectionFor(kind, sections);
  const shown = contents ? describeContents(contents) : [];
  if (!section.options) {
    const problem = `not checked: ${section.key} has no key, so every token is refused`;
    return { output: [problem, ...shown].join('\n'), notes: [], isOk: false };
  }
  const verifier = createJwtVerifier(section.options);
  const nowMs = (section.options.clock ?? systemClock).now();
  const verdict = await (kind === 'connection'
    ? verifier.examineConnection(token)
    : verifier.examineSubscription(token));
  const lines =
    verdict instanceof TokenRefusal
      ? [explainRefusal(verdict, { kind, section })]
      : [
          `accepted: a ${kind} token, verified with ${section.key}`,
          ...describeGrant(verdict, nowMs),
        ];
  return {
    output: [...lines, ...shown].join('\n'),
    notes: [],
    isOk: !(verdict instanceof TokenRefusal),
  };
}

interface Contents {
  readonly header: object;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What the token says, believed or not; undefined when it cannot be read. */
function decode(token: string): Contents | undefined {
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch {
    return undefined;
  }
}

function describeContents({ header, claims }: Contents): readonly string[] {
  return [`header:   ${JSON.stringify(header)}`, `claims:   ${JSON.stringify(claims)}`];
}

function describeGrant(
  verdict: Credentials | SubscriptionTokenClaims,
  nowMs: number,
): readonly string[] {
  const lines = [`user:     ${verdict.user === '' ? 'anonymous' : JSON.stringify(verdict.user)}`];
  if ('grant' in verdict) {
    lines.push(`channel:  ${JSON.stringify(verdict.channel)}`);
    if (verdict.client !== '') lines.push(`client:   ${JSON.stringify(verdict.client)} only`);
    lines.push(`expires:  ${describeExpiry(verdict.grant, nowMs)}`);
    return lines;
  }
  lines.push(`expires:  ${describeExpiry(verdict, nowMs)}`);
  const channels = Object.keys(verdict.subs ?? {});
  if (channels.length > 0)
    lines.push(`channels: ${channels.map((name) => JSON.stringify(name)).join(', ')}`);
  return lines;
}

function describeExpiry({ expireAt = 0 }: Pick<SubscribeGrant, 'expireAt'>, nowMs: number): string {
  if (expireAt === 0) return 'never';
  const seconds = Math.round(expireAt - nowMs / 1000);
  const distance = seconds >= 0 ? `in ${seconds} s` : `${-seconds} s ago`;
  return `${new Date(expireAt * 1000).toISOString()} (${distance})`;
}
