import { Disconnect } from '@holdfast/protocol';
import type { RefusalReason, TokenRefusal } from '@holdfast/hub';
import type { TokenKind, TokenSection } from './token-sections.ts';

/** What to do about each refusal; `{key}` stands for the section of the configuration. */
const advice: Readonly<Record<RefusalReason, string>> = {
  too_long: 'Put less into info, meta and subs: a client sends the token on every connect.',
  malformed:
    'Check that the whole token was copied and nothing but the token, and that a JWT library made it.',
  algorithm:
    'Sign with an algorithm that a key in {key} is for: hmac_secret_key HS256/384/512, ' +
    'rsa_public_key RS256/384/512, ecdsa_public_key ES256/384/512, ed25519_public_key or ' +
    'jwks_public_endpoint EdDSA.',
  critical_header: 'Make the token without header extensions ("crit").',
  unknown_key:
    'Check that the issuer publishes the key that it signs with at {key}.jwks_public_endpoint, ' +
    'and that "kid" in the header is its name there.',
  signature:
    'Sign with exactly the key that is configured in {key}. Usual mistakes: another secret in this ' +
    'environment, a line break at its end, a secret that one side decodes from base64 and the other ' +
    'does not, a key pair that was renewed on one side only.',
  claims: 'Correct the claim where the token is made. Times are whole seconds, user ids are texts.',
  audience: 'Issue the token with the "aud" that {key}.audience or {key}.audience_regex asks for.',
  issuer: 'Issue the token with the "iss" that {key}.issuer or {key}.issuer_regex asks for.',
  wrong_kind:
    'Use tokens with "channel" for subscriptions of that channel, and tokens without it to connect.',
  expired:
    'Nothing is wrong when the client has a getToken function: it fetches a new token. ' +
    'If fresh tokens are refused too, compare the clocks of both machines.',
  not_yet_valid:
    'Compare the clocks of the issuer and this machine; {key}.nbf_leeway allows for a difference.',
  keys_unavailable:
    'Check {key}.jwks_public_endpoint, and that this machine can read it with: curl -v <endpoint>',
};

/** Why a token is refused, in words: what was found, what its client gets, what to do. */
export function explainRefusal(
  refusal: TokenRefusal,
  { kind, section }: { readonly kind: TokenKind; readonly section: TokenSection },
): string {
  return [
    `refused: ${refusal.detail} (${refusal.reason})`,
    `clients:  ${describeAnswer(refusal, kind)}`,
    `to do:    ${advice[refusal.reason].replaceAll('{key}', section.key)}`,
  ].join('\n');
}

function describeAnswer({ answer }: TokenRefusal, kind: TokenKind): string {
  if (answer instanceof Disconnect) {
    return kind === 'connection'
      ? `are disconnected with ${answer.code} (${answer.reason}) and do not come back by themselves`
      : 'get error 103 (permission denied) for the subscription';
  }
  const next = answer.temporary ? 'try again by themselves' : 'ask their application for a new one';
  return `get error ${answer.code} (${answer.message}) and ${next}`;
}
