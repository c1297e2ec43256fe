import { duration, flag, integer, secret, section, text } from '../option.ts';
import { regularExpression } from './regular-expression.ts';

const tokenShape = {
  hmac_secret_key: secret(
    'Secret that HS256, HS384 and HS512 tokens are signed with. When no key of any kind is configured and nobody could connect otherwise, one is made at the first start and kept in the data folder.',
  ),
  hmac_previous_secret_key: secret(
    'Secret that was used before: still accepted, so that a secret can be changed without cutting anybody off.',
  ),
  hmac_previous_secret_key_valid_until: integer(
    0,
    'Unix time in seconds until which the previous secret is accepted. `0`: for as long as it is configured.',
  ),
  rsa_public_key: text('', 'Public key in PEM for RS256, RS384 and RS512 tokens.'),
  ecdsa_public_key: text('', 'Public key in PEM for ES256, ES384 and ES512 tokens.'),
  ed25519_public_key: text('', 'Public key in PEM for EdDSA tokens.', { own: true }),
  jwks_public_endpoint: text(
    '',
    'URL of a JSON Web Key Set that holds the keys tokens are signed with; then no other key is used. `{{name}}` in it is filled from the named groups of `issuer_regex` and `audience_regex`.',
  ),
  audience: text('', 'Tokens must name this audience (`aud`).'),
  audience_regex: regularExpression('Tokens must name an audience (`aud`) that matches.'),
  issuer: text('', 'Tokens must name this issuer (`iss`).'),
  issuer_regex: regularExpression('Tokens must name an issuer (`iss`) that matches.'),
  user_id_claim: text('', 'Claim that holds the user id, letters and "_". Empty: `sub`.'),
  exp_leeway: duration('0s', 'How long after its expiry (`exp`) a token still counts.', {
    own: true,
  }),
  nbf_leeway: duration(
    '30s',
    'How long before its time (`nbf`) a token already counts, for issuers whose clocks are ahead.',
    { own: true },
  ),
  insecure_skip_jwks_endpoint_safety_check: flag(
    false,
    'Allow `jwks_public_endpoint` to be filled from unbounded patterns of the issuer or audience. A stranger may then choose where keys are fetched from.',
  ),
};

export const token = section(
  'How connection tokens are verified, and subscription tokens too unless `client.subscription_token` is enabled.',
  tokenShape,
);

export const subscriptionToken = section('How subscription tokens are verified.', {
  enabled: flag(
    false,
    'Verify subscription tokens with these keys instead of those of `client.token`.',
  ),
  ...tokenShape,
});
