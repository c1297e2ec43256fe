import { createPublicKey } from 'node:crypto';
import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';

type TokenConfig = Config['client']['token'];

/** Below this, RFC 7518 §3.2 calls an HMAC key too short for SHA-256. */
const recommendedSecretBytes = 32;

/** Whether any key to verify tokens with is configured. */
export function hasTokenKey(token: TokenConfig): boolean {
  return (
    !token.hmac_secret_key.isEmpty ||
    token.rsa_public_key !== '' ||
    token.ecdsa_public_key !== '' ||
    token.jwks_public_endpoint !== ''
  );
}

/** Combinations of `client.token` and `client.subscription_token` that cannot work. */
export function checkTokens({ client }: Config, report: Report): void {
  checkToken('token', client.token, report);
  if (!client.subscription_token.enabled) return;
  checkToken('subscription_token', client.subscription_token, report);
  if (!hasTokenKey(client.subscription_token)) {
    report.problem(['client', 'subscription_token', 'enabled'], {
      problem: 'is on without a key',
      reason: 'no subscription token could ever be accepted',
      remedy: 'Set client.subscription_token.hmac_secret_key or another key, or turn it off.',
    });
  }
}

function checkToken(
  section: 'token' | 'subscription_token',
  token: TokenConfig,
  report: Report,
): void {
  const path = ['client', section];
  for (const claim of ['audience', 'issuer'] as const) {
    if (token[claim] !== '' && token[`${claim}_regex`] !== '') {
      report.problem([...path, claim], {
        problem: `is set, and ${claim}_regex too`,
        reason: 'it would be unclear which of the two decides',
        remedy: 'Keep one of them.',
      });
    }
  }
  checkPublicKey([...path, 'rsa_public_key'], { pem: token.rsa_public_key, type: 'rsa' }, report);
  checkPublicKey(
    [...path, 'ecdsa_public_key'],
    { pem: token.ecdsa_public_key, type: 'ec' },
    report,
  );
  const endpoint = token.jwks_public_endpoint;
  // Centrifugo fills {{name}} from named groups of audience_regex and issuer_regex.
  if (endpoint !== '' && !/^https?:\/\/[^\s]+$/.test(endpoint)) {
    report.problem([...path, 'jwks_public_endpoint'], {
      problem: 'is not an http:// or https:// URL',
      reason: 'keys could not be fetched',
      remedy: 'Write the whole URL, such as https://example.com/.well-known/jwks.json',
    });
  }
  const bytes = Buffer.byteLength(token.hmac_secret_key.reveal());
  if (bytes > 0 && bytes < recommendedSecretBytes) {
    report.warning(
      [...path, 'hmac_secret_key'],
      `The secret is shorter than ${recommendedSecretBytes} bytes and may be guessed from a token. A good one is made with: openssl rand -base64 32`,
    );
  }
}

function checkPublicKey(
  path: readonly string[],
  { pem, type }: { readonly pem: string; readonly type: 'rsa' | 'ec' },
  report: Report,
): void {
  if (pem === '') return;
  let found: string;
  try {
    found = createPublicKey(pem).asymmetricKeyType ?? 'unknown';
  } catch {
    found = 'no public key in PEM';
  }
  if (found === type) return;
  report.problem(path, {
    problem: found === 'no public key in PEM' ? `holds ${found}` : `holds a key of type ${found}`,
    reason: 'tokens could not be verified with it',
    remedy: `Put a PEM text that begins with "-----BEGIN PUBLIC KEY-----" and holds ${type === 'ec' ? 'an EC' : 'an RSA'} key.`,
  });
}
