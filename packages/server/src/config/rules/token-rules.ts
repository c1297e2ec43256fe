import { createJwtVerifier, TokenOptionError, type JwtVerifierOptions } from '@holdfast/hub';
import type { ConfigWarning } from '../problem.ts';
import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';
import { hasTokenKey, toTokenOptions, verifierOptions } from '../token-options.ts';

/**
 * What cannot work in `client.token` and `client.subscription_token`: what the verifiers themselves
 * refuse, so that there is one opinion about it.
 */
export function checkTokens(config: Config, report: Report): void {
  const { client } = config;
  const connection = verifierOptions(client.token, client);
  // Without a key the rest is checked with the one that the first start will make.
  checkVerifier(
    'token',
    hasTokenKey(client.token) ? connection : { ...connection, ...anyKey },
    report,
  );
  if (!client.subscription_token.enabled) return;
  if (hasTokenKey(client.subscription_token)) {
    checkVerifier('subscription_token', verifierOptions(client.subscription_token, client), report);
  } else {
    report.problem(['client', 'subscription_token', 'enabled'], {
      problem: 'is on without a key',
      reason: 'no subscription token could ever be accepted',
      remedy: 'Set client.subscription_token.hmac_secret_key or another key, or turn it off.',
    });
  }
}

const anyKey = { hmacSecretKey: 'stands for a key'.repeat(4) };

function checkVerifier(
  section: 'token' | 'subscription_token',
  options: JwtVerifierOptions,
  report: Report,
): void {
  try {
    createJwtVerifier(options);
  } catch (error) {
    if (!(error instanceof TokenOptionError)) throw error;
    const isOfClient = error.option === 'insecureSkipTokenSignatureVerify';
    const name = snakeCase(error.option);
    report.problem(isOfClient ? ['client', name] : ['client', section, name], {
      problem: 'cannot work',
      reason: inSnakeCase(error.problem).replace(/^(?=(?:is|must|needs|lets|has)\b)/, 'it '),
      remedy: 'Correct it; docs/configuration.md says what it takes.',
    });
  }
}

/**
 * What should not be so in production, such as a short secret. The verifiers of a server say this in
 * its log by themselves; this is for those who only look at a configuration.
 */
export function tokenWarnings(config: Config): readonly ConfigWarning[] {
  const { connection, subscription } = toTokenOptions(config);
  const sections = [
    ['client.token', connection],
    ['client.subscription_token', subscription],
  ] as const;
  return sections.flatMap(([key, options]) =>
    options === undefined
      ? []
      : createJwtVerifier(options).warnings.map((text) => ({ key, message: inSnakeCase(text) })),
  );
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The verifier speaks of its own options; the reader knows those of the configuration. */
function inSnakeCase(message: string): string {
  return message.replaceAll(/\b[a-z0-9]+(?:[A-Z][a-z]+)+\b/g, snakeCase);
}
