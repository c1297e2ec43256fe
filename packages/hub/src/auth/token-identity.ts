import { compileClaimPattern } from './claim-pattern.ts';
import type { JwtVerifierOptions } from './jwt-options.ts';
import type { RegisteredClaims } from './token-claims.ts';
import { TokenOptionError } from './token-option-error.ts';
import { quote, TokenRefusal } from './token-refusal.ts';

type IdentityOptions = Pick<
  JwtVerifierOptions,
  'audience' | 'audienceRegex' | 'issuer' | 'issuerRegex'
>;

/** Checks who made a token and for whom. Only for tokens whose signature is verified. */
export type IdentityCheck = (claims: RegisteredClaims) => TokenRefusal | undefined;

/** @throws TokenOptionError */
export function createIdentityCheck(options: IdentityOptions): IdentityCheck {
  const isIssuer = createMatcher('issuer', options.issuer, options.issuerRegex);
  const isAudience = createMatcher('audience', options.audience, options.audienceRegex);
  return ({ issuer, audiences }) => {
    if (isIssuer && !isIssuer(issuer ?? '')) {
      const found = issuer === undefined ? 'missing' : quote(issuer);
      return new TokenRefusal('issuer', `"iss" is ${found}`);
    }
    if (isAudience && !audiences.some(isAudience)) {
      const found = audiences.length === 0 ? 'missing' : quote(audiences.join(', '));
      return new TokenRefusal('audience', `"aud" is ${found}`);
    }
    return undefined;
  };
}

function createMatcher(
  option: 'issuer' | 'audience',
  exact: string | undefined,
  pattern: string | undefined,
): ((value: string) => boolean) | undefined {
  if (exact && pattern) {
    throw new TokenOptionError(option, `set either ${option} or ${option}Regex, not both`);
  }
  if (exact) return (value) => value === exact;
  if (!pattern) return undefined;
  const regex = compileClaimPattern(`${option}Regex`, pattern);
  return (value) => regex.test(value);
}
