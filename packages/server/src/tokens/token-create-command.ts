import { createJwtVerifier, TokenRefusal } from '@holdfast/hub';
import { createToken } from './create-token.ts';
import { explainRefusal } from './refusal-explanation.ts';
import {
  type TokenCommandResult,
  type TokenKind,
  type TokenSections,
  sectionFor,
} from './token-sections.ts';

/** Parsed options of `holdfast token create`. */
export interface TokenCreateOptions {
  readonly user: string;
  /** Makes it a subscription token. */
  readonly channel?: string;
  readonly channels?: readonly string[];
  /** @defaultValue 3600; 0: never expires */
  readonly ttlSeconds?: number;
  /** JSON text, as `meta` and `data`. */
  readonly info?: string;
  readonly meta?: string;
  readonly data?: string;
  /** @defaultValue the configured audience */
  readonly audience?: string;
  /** @defaultValue the configured issuer */
  readonly issuer?: string;
  /** Unix milliseconds. @defaultValue the machine's clock */
  readonly now?: number;
}

/** `holdfast token create`: a token that this configuration accepts, for trying things out. */
export async function tokenCreateCommand(
  options: TokenCreateOptions,
  sections: TokenSections,
): Promise<TokenCommandResult> {
  const { ttlSeconds = 3600, info, meta, data, ...rest } = options;
  const kind: TokenKind = options.channel === undefined ? 'connection' : 'subscription';
  const section = sectionFor(kind, sections);
  const verifierOptions = section.options;
  const secret = verifierOptions?.hmacSecretKey;
  if (!verifierOptions || secret === undefined || verifierOptions.jwksPublicEndpoint) {
    return failed(
      `no token can be made here: ${section.key} has no hmac_secret_key that tokens are verified ` +
        'with. Where tokens are verified with public keys, they are made where the private key is.',
    );
  }
  let token: string;
  try {
    token = await createToken({
      ...rest,
      ...(ttlSeconds > 0 && { ttlSeconds }),
      ...parseJsonOptions({ info, meta, data }),
      secret,
      audience: options.audience ?? verifierOptions.audience ?? '',
      issuer: options.issuer ?? verifierOptions.issuer ?? '',
      userIdClaim: verifierOptions.userIdClaim ?? '',
    });
  } catch (error) {
    if (error instanceof RangeError) return failed(`no token was made: ${error.message}`);
    throw error;
  }
  const verifier = createJwtVerifier(verifierOptions);
  const verdict = await (kind === 'connection'
    ? verifier.examineConnection(token)
    : verifier.examineSubscription(token));
  if (verdict instanceof TokenRefusal) {
    return failed('the token would be refused:', explainRefusal(verdict, { kind, section }));
  }
  const lifetime = ttlSeconds > 0 ? `expires in ${ttlSeconds} s` : 'never expires';
  const note = `a ${kind} token for user ${JSON.stringify(options.user)}, ${lifetime}`;
  return {
    output: token,
    notes: [`${note}; signed with ${section.key}.hmac_secret_key`],
    isOk: true,
  };
}

function failed(...notes: readonly string[]): TokenCommandResult {
  return { output: '', notes, isOk: false };
}

/** @throws RangeError for a text that is not JSON. */
function parseJsonOptions(
  texts: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(texts)) {
    if (text === undefined) continue;
    try {
      values[name] = JSON.parse(text);
    } catch {
      throw new RangeError(
        `${name} is not JSON; write for example {"name":"Ann"}, quoted for the shell`,
      );
    }
  }
  return values;
}
