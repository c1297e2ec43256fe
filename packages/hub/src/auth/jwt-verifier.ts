import { type Clock, systemClock } from '../clock.ts';
import type { Credentials } from '../events.ts';
import type { Logger } from '../hub.ts';
import { LabelledCounter } from '../metrics.ts';
import { type Soon, whenThere } from '../soon.ts';
import { type CompactJws, parseCompactJws } from './compact-jws.ts';
import { createJwksKeys } from './jwks-keys.ts';
import type { JwtVerifierOptions } from './jwt-options.ts';
import { isSignedByAny } from './signature.ts';
import { createStaticKeys, staticKeyOptions } from './static-keys.ts';
import { ThrottledLog } from './throttled-log.ts';
import {
  type ClaimRules,
  type ParsedToken,
  type RegisteredClaims,
  parseConnectionClaims,
  parseSubscriptionClaims,
} from './token-claims.ts';
import { type IdentityCheck, createIdentityCheck } from './token-identity.ts';
import { TokenOptionError } from './token-option-error.ts';
import { refusalReasons, TokenRefusal } from './token-refusal.ts';
import type { SubscriptionTokenClaims, TokenVerifier } from './token-verifier.ts';
import type { VerificationKeys } from './verification-keys.ts';

/** What a verifier counts, read at scrape time. */
export interface JwtMetrics {
  /** By reason. */
  readonly refusedTokens: LabelledCounter;
  /** By outcome, `ok` and `error`. */
  readonly jwksReads: LabelledCounter;
}

/** A {@link TokenVerifier} for JWTs that can also say why it refuses one. */
export interface JwtVerifier extends TokenVerifier {
  /** What the options should not be in production, one sentence each; logged once as well. */
  readonly warnings: readonly string[];
  readonly metrics: JwtMetrics;
  /** As `verifyConnection`, with the reason in place of the client's answer. Logs nothing. */
  examineConnection(token: string): Soon<Credentials | TokenRefusal>;
  /** As `verifySubscription`, with the reason in place of the client's answer. Logs nothing. */
  examineSubscription(token: string): Soon<SubscriptionTokenClaims | TokenRefusal>;
}

/**
 * Creates the verifier of connection and subscription JWTs.
 *
 * Refusals are logged with their reason, at most one line per reason in 30 seconds; tokens and
 * secrets never are. In a hub with `client.insecure` the expiry that a token would give its
 * connection does not count, but a token that has expired is refused all the same.
 *
 * @throws TokenOptionError when an option cannot work.
 * @example
 * const hub = createHub({ tokens: createJwtVerifier({ hmacSecretKey: process.env.TOKEN_SECRET }) });
 */
export function createJwtVerifier(options: JwtVerifierOptions): JwtVerifier {
  return new JoseJwtVerifier(options);
}

type Parse<Value> = (jws: CompactJws, rules: ClaimRules) => ParsedToken<Value> | TokenRefusal;

class JoseJwtVerifier implements JwtVerifier {
  readonly warnings: readonly string[];
  readonly metrics: JwtMetrics = {
    refusedTokens: new LabelledCounter(),
    jwksReads: new LabelledCounter(),
  };
  readonly #clock: Clock;
  readonly #logger: Logger | undefined;
  readonly #log: ThrottledLog;
  /** Undefined: signatures are not looked at. */
  readonly #keys: VerificationKeys | undefined;
  readonly #checkIdentity: IdentityCheck;
  readonly #claimRules: ClaimRules;
  readonly #maxTokenBytes: number;
  readonly #expLeewayMs: number;
  readonly #nbfLeewayMs: number;

  constructor(options: JwtVerifierOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger;
    this.#log = new ThrottledLog(options.logger, { clock: this.#clock });
    this.#maxTokenBytes = positive('maxTokenBytes', options.maxTokenBytes ?? 8192);
    this.#expLeewayMs = notNegative('expLeewayMs', options.expLeewayMs ?? 0);
    this.#nbfLeewayMs = notNegative('nbfLeewayMs', options.nbfLeewayMs ?? 30_000);
    this.#claimRules = {
      userIdClaim: checkUserIdClaim(options.userIdClaim),
      expLeewaySeconds: Math.floor(this.#expLeewayMs / 1000),
    };
    this.#checkIdentity = createIdentityCheck(options);
    this.#keys = this.#createKeys(options);
    this.warnings = findWarnings(options);
    for (const warning of this.warnings) this.#logger?.warn({}, warning);
  }

  #createKeys(options: JwtVerifierOptions): VerificationKeys | undefined {
    const skips = options.insecureSkipTokenSignatureVerify ?? false;
    if (skips && !options.insecure) {
      throw new TokenOptionError(
        'insecureSkipTokenSignatureVerify',
        'lets everyone be whoever they say they are; it only works together with client.insecure',
      );
    }
    const keys = options.jwksPublicEndpoint
      ? createJwksKeys(options, {
          clock: this.#clock,
          log: this.#log,
          reads: this.metrics.jwksReads,
        })
      : createStaticKeys(options, this.#clock);
    if (skips) return undefined;
    if (keys.algorithms.length > 0) return keys;
    const choices = `${staticKeyOptions.join(', ')} or jwksPublicEndpoint`;
    throw new TokenOptionError('hmacSecretKey', `no key to verify tokens with; set ${choices}`);
  }

  verifyConnection(token: string): ReturnType<TokenVerifier['verifyConnection']> {
    return whenThere(this.examineConnection(token), (result) =>
      result instanceof TokenRefusal ? this.#refuse('connection', result) : result,
    );
  }

  verifySubscription(token: string): ReturnType<TokenVerifier['verifySubscription']> {
    return whenThere(this.examineSubscription(token), (result) =>
      result instanceof TokenRefusal ? this.#refuse('subscription', result) : result,
    );
  }

  examineConnection(token: string): Soon<Credentials | TokenRefusal> {
    return this.#examine(token, parseConnectionClaims);
  }

  examineSubscription(token: string): Soon<SubscriptionTokenClaims | TokenRefusal> {
    return this.#examine(token, parseSubscriptionClaims);
  }

  #examine<Value>(token: string, parse: Parse<Value>): Soon<Value | TokenRefusal> {
    const jws = parseCompactJws(token, this.#maxTokenBytes);
    if (jws instanceof TokenRefusal) return jws;
    const parsed = parse(jws, this.#claimRules);
    if (parsed instanceof TokenRefusal) return parsed;
    const { registered, value } = parsed;
    return whenThere(
      this.#checkSignature(token, jws, registered),
      (refusal) =>
        refusal ?? this.#checkIdentity(registered) ?? this.#checkTime(registered) ?? value,
    );
  }

  #checkSignature(
    token: string,
    { header }: CompactJws,
    claims: RegisteredClaims,
  ): Soon<TokenRefusal | undefined> {
    if (!this.#keys) return undefined;
    return whenThere(this.#keys.find(header, claims), (keys) => {
      if (keys instanceof TokenRefusal) return keys;
      return whenThere(isSignedByAny(token, header.alg, keys), (isSigned) =>
        isSigned
          ? undefined
          : new TokenRefusal('signature', `the ${header.alg} signature is not by a configured key`),
      );
    });
  }

  #checkTime({ expiresAt, notBefore }: RegisteredClaims): TokenRefusal | undefined {
    const nowMs = this.#clock.now();
    if (expiresAt !== undefined && nowMs >= expiresAt * 1000 + this.#expLeewayMs) {
      return new TokenRefusal('expired', `"exp" was ${seconds(nowMs - expiresAt * 1000)} ago`);
    }
    if (notBefore !== undefined && nowMs < notBefore * 1000 - this.#nbfLeewayMs) {
      return new TokenRefusal('not_yet_valid', `"nbf" is in ${seconds(notBefore * 1000 - nowMs)}`);
    }
    return undefined;
  }

  #refuse(kind: 'connection' | 'subscription', refusal: TokenRefusal): TokenRefusal['answer'] {
    const { reason, detail, answer } = refusal;
    this.metrics.refusedTokens.add(reason);
    // Expired tokens are everyday life, and key trouble has a line of its own.
    if (refusalReasons[reason] === 'invalid') {
      this.#log.warn(`${kind} ${reason}`, { kind, reason, detail }, `A ${kind} token was refused`);
    }
    return answer;
  }
}

function seconds(durationMs: number): string {
  return `${Math.ceil(durationMs / 1000)} s`;
}

function positive(option: string, value: number): number {
  if (value > 0) return value;
  throw new TokenOptionError(option, 'must be above 0');
}

function notNegative(option: string, value: number): number {
  if (value >= 0) return value;
  throw new TokenOptionError(option, 'must not be negative');
}

function checkUserIdClaim(claim: string | undefined): string | undefined {
  if (!claim || /^[A-Za-z_]+$/.test(claim)) return claim;
  throw new TokenOptionError('userIdClaim', 'must be letters and underscores');
}

/** Shorter than the hash of HS256, a secret is easier to guess than the signature (RFC 7518 §3.2). */
const advisedSecretBytes = 32;

function findWarnings(options: JwtVerifierOptions): readonly string[] {
  const warnings: string[] = [];
  if (options.insecureSkipTokenSignatureVerify) {
    warnings.push('Signatures of tokens are not verified: anyone can be any user.');
  }
  const unused = staticKeyOptions.filter((name) => options[name] !== undefined);
  if (options.jwksPublicEndpoint) {
    if (unused.length > 0) {
      warnings.push(`${unused.join(', ')} not used: jwksPublicEndpoint verifies every token.`);
    }
    return warnings;
  }
  for (const name of ['hmacSecretKey', 'hmacPreviousSecretKey'] as const) {
    const secret = options[name];
    if (secret === undefined) continue;
    if (secret !== secret.trim()) {
      warnings.push(`${name} begins or ends with white space, which is part of the secret.`);
    }
    const bytes = Buffer.byteLength(secret);
    if (bytes < advisedSecretBytes) {
      warnings.push(
        `${name} is ${bytes} bytes long and may be guessed; use ${advisedSecretBytes} random bytes ` +
          `or more, for example from: openssl rand -hex 32`,
      );
    }
  }
  return warnings;
}
