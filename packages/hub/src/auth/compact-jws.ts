import { quote, TokenRefusal } from './token-refusal.ts';

/** Signature algorithms that a key can be for; everything else, `none` first, is refused. */
export const jwtAlgorithms = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;
export type JwtAlgorithm = (typeof jwtAlgorithms)[number];

export type JsonObject = Readonly<Record<string, unknown>>;

/** The header parameters that are used. `jku`, `jwk`, `x5u` and `x5c` never are. */
export interface JwsHeader {
  readonly alg: JwtAlgorithm;
  readonly kid: string | undefined;
}

/** A well-formed JWT whose signature nobody has looked at yet. */
export interface CompactJws {
  readonly header: JwsHeader;
  readonly claims: JsonObject;
  /** The JSON text that `claims` was parsed from. */
  readonly claimsText: string;
}

export const maxKidChars = 512;

const algorithms: ReadonlySet<string> = new Set(jwtAlgorithms);
const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Takes a compact JWS (RFC 7515 §7.1) apart, accepting exactly one spelling of each token: three
 * non-empty canonical base64url parts, header and claims strict UTF-8 JSON objects. Of duplicate
 * members the last one counts (RFC 7519 §4). Checks no signature.
 */
export function parseCompactJws(token: string, maxBytes: number): CompactJws | TokenRefusal {
  if (token.length > maxBytes) {
    return new TokenRefusal('too_long', `${token.length} characters, allowed are ${maxBytes}`);
  }
  if (!compactForm.test(token)) {
    return new TokenRefusal('malformed', 'not three base64url parts joined by dots');
  }
  const [headerPart = '', claimsPart = '', signaturePart = ''] = token.split('.');
  if (![headerPart, claimsPart, signaturePart].every(isCanonicalBase64url)) {
    return new TokenRefusal('malformed', 'a part is not canonical base64url');
  }
  const header = parseHeader(headerPart);
  if (header instanceof TokenRefusal) return header;
  const claimsText = decodeText(claimsPart);
  const claims = parseObject(claimsText);
  if (claimsText === undefined || claims === undefined) {
    return new TokenRefusal('malformed', 'the claims are not a JSON object');
  }
  return { header, claims, claimsText };
}

/** Headers read before: the tokens of one issuer have one and the same, time and again. */
const knownHeaders = new Map<string, JwsHeader>();
const maxKnownHeaders = 64;

function parseHeader(part: string): JwsHeader | TokenRefusal {
  const known = knownHeaders.get(part);
  if (known !== undefined) return known;
  const members = parseObject(decodeText(part));
  if (members === undefined) {
    return new TokenRefusal('malformed', 'the header is not a JSON object');
  }
  const header = readHeader(members);
  if (header instanceof TokenRefusal) return header;
  if (knownHeaders.size >= maxKnownHeaders) knownHeaders.clear();
  knownHeaders.set(part, header);
  return header;
}

function readHeader({ alg, kid, crit }: JsonObject): JwsHeader | TokenRefusal {
  if (crit !== undefined) {
    return new TokenRefusal('critical_header', 'the header has "crit", no extension is supported');
  }
  if (typeof alg !== 'string' || !algorithms.has(alg)) {
    const found = typeof alg === 'string' ? quote(alg) : 'missing or not a string';
    return new TokenRefusal('algorithm', `"alg" is ${found}`);
  }
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > maxKidChars)) {
    return new TokenRefusal('malformed', `"kid" is not a string of at most ${maxKidChars}`);
  }
  return { alg: alg as JwtAlgorithm, kid };
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * Otherwise the last character carries bits that decoding drops: one token, several spellings. Of
 * characters of the alphabet, which the form has seen to.
 */
function isCanonicalBase64url(part: string): boolean {
  const rest = part.length % 4;
  if (rest === 0) return true;
  if (rest === 1) return false;
  const unusedBits = rest === 2 ? 0b1111 : 0b11;
  return (alphabet.indexOf(part.charAt(part.length - 1)) & unusedBits) === 0;
}

function decodeText(part: string): string | undefined {
  try {
    return strictUtf8.decode(Buffer.from(part, 'base64url'));
  } catch {
    return undefined;
  }
}

function parseObject(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
