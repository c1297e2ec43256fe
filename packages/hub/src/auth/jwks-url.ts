import { isIP } from 'node:net';
import { compileClaimPattern } from './claim-pattern.ts';
import type { JwtVerifierOptions } from './jwt-options.ts';
import type { RegisteredClaims } from './token-claims.ts';
import { TokenOptionError } from './token-option-error.ts';
import { quote, TokenRefusal } from './token-refusal.ts';

type UrlOptions = Pick<JwtVerifierOptions, 'jwksPublicEndpoint' | 'issuerRegex' | 'audienceRegex'>;

/** Where the key set of a token is. */
export interface JwksUrl {
  readonly url: URL;
  /** The host name has a part that was chosen by a token: only public addresses may be asked. */
  readonly isHostTemplated: boolean;
}

/** Finds the URL of a token's key set. Its claims are not verified yet. */
export type JwksUrlResolver = (claims: RegisteredClaims) => JwksUrl | TokenRefusal;

const option = 'jwksPublicEndpoint';
const placePattern = /\{\{([^{}]*)\}\}/g;
/** Beyond it the set of URLs is too large to have been meant. */
const maxUrls = 1000;
const maxMatchedChars = 512;

/**
 * Reads the endpoint option. A token can only choose among values that the configuration lists:
 * anything freer would let a stranger pick the server whose keys are believed
 * (GHSA-j77h-rr39-c552). So the URLs, and with them the cache, are bounded by the configuration.
 * @throws TokenOptionError
 */
export function createJwksUrlResolver(options: UrlOptions): JwksUrlResolver {
  const template = options.jwksPublicEndpoint ?? '';
  const places = new Set(Array.from(template.matchAll(placePattern), (match) => match[1] ?? ''));
  if (places.size === 0) {
    const fixed: JwksUrl = { url: parseEndpoint(template), isHostTemplated: false };
    return () => fixed;
  }
  const sources = [
    createValueSource('issuerRegex', options.issuerRegex, places),
    createValueSource('audienceRegex', options.audienceRegex, places),
  ].filter((source) => source !== undefined);
  checkPlaces(template, places, sources);

  const urls = new Map<string, JwksUrl>();
  return (claims) => {
    const values = new Map<string, string>();
    for (const source of sources) {
      const found = source.read(claims);
      if (found instanceof TokenRefusal) return found;
      for (const [name, value] of found) values.set(name, value);
    }
    const filled = fill(template, (name) => values.get(name) ?? '');
    let resolved = urls.get(filled);
    if (!resolved) {
      resolved = { url: parseEndpoint(filled), isHostTemplated: isHostTemplated(template) };
      urls.set(filled, resolved);
    }
    return resolved;
  };
}

function fill(template: string, value: (name: string) => string): string {
  return template.replaceAll(placePattern, (_, name: string) => encodeURIComponent(value(name)));
}

function isHostTemplated(template: string): boolean {
  const authority = /^[a-z]+:\/\/([^/?#]*)/i.exec(template)?.[1] ?? '';
  return authority.includes('{{');
}

function parseEndpoint(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TokenOptionError(option, 'is not a URL');
  }
  if (url.username !== '' || url.password !== '') {
    throw new TokenOptionError(option, 'has a user name or password: key sets are public');
  }
  if (url.protocol === 'https:') return url;
  if (url.protocol === 'http:' && isLoopbackHost(url.hostname)) return url;
  throw new TokenOptionError(
    option,
    'must be https: keys read over http can be replaced on the way (http is for loopback hosts)',
  );
}

function isLoopbackHost(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true;
  return isIP(hostname) === 4 && hostname.startsWith('127.');
}

/** A pattern whose named groups fill places of the URL. */
interface ValueSource {
  readonly allowed: ReadonlyMap<string, ReadonlySet<string>>;
  read(claims: RegisteredClaims): ReadonlyMap<string, string> | TokenRefusal;
}

const groupPattern = /\(\?P?<([A-Za-z_]\w*)>([^()]*)\)/g;
const listPattern = /^[A-Za-z0-9_-]+(\|[A-Za-z0-9_-]+)*$/;

function createValueSource(
  name: 'issuerRegex' | 'audienceRegex',
  pattern: string | undefined,
  places: ReadonlySet<string>,
): ValueSource | undefined {
  if (!pattern) return undefined;
  const allowed = new Map<string, ReadonlySet<string>>();
  for (const [, group = '', list = ''] of pattern.matchAll(groupPattern)) {
    if (!places.has(group)) continue;
    if (!listPattern.test(list)) {
      const example = `(?<${group}>one|two)`;
      const problem = `fills {{${group}}} of ${option}, so it must list its values: ${example}`;
      throw new TokenOptionError(name, `group "${group}" ${problem} of A-Z a-z 0-9 _ -`);
    }
    allowed.set(group, new Set(list.split('|')));
  }
  if (allowed.size === 0) return undefined;
  // This pattern meets strings of strangers; a repeated group can take exponential time on them.
  if (/\)[*+{]/.test(pattern)) {
    throw new TokenOptionError(name, `must not repeat a group while it fills ${option}`);
  }
  const regex = compileClaimPattern(name, pattern, { isWhole: true });
  const isIssuer = name === 'issuerRegex';
  return {
    allowed,
    read({ issuer, audiences }) {
      const candidates = isIssuer ? [issuer ?? ''] : audiences;
      for (const candidate of candidates) {
        if (candidate.length > maxMatchedChars) continue;
        const groups = regex.exec(candidate)?.groups;
        const values = groups && pick(groups, allowed);
        if (values) return values;
      }
      const claim = isIssuer ? 'iss' : 'aud';
      const found = quote(candidates.join(', '));
      return new TokenRefusal(isIssuer ? 'issuer' : 'audience', `"${claim}" is ${found}`);
    },
  };
}

/** The values of the allowed groups, or nothing when one is missing or not in its list. */
function pick(
  groups: Readonly<Record<string, string | undefined>>,
  allowed: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlyMap<string, string> | undefined {
  const values = new Map<string, string>();
  for (const [name, list] of allowed) {
    const value = groups[name];
    if (value === undefined || !list.has(value)) return undefined;
    values.set(name, value);
  }
  return values;
}

function checkPlaces(
  template: string,
  places: ReadonlySet<string>,
  sources: readonly ValueSource[],
): void {
  let urlCount = 1;
  for (const place of places) {
    const lists = sources.flatMap(({ allowed }) => allowed.get(place) ?? []);
    const [list] = lists;
    if (!list || lists.length > 1) {
      const problem = list ? 'is a group of both' : 'needs a named group of';
      throw new TokenOptionError(option, `{{${place}}} ${problem} issuerRegex and audienceRegex`);
    }
    urlCount *= list.size;
  }
  if (urlCount > maxUrls) {
    throw new TokenOptionError(option, `stands for ${urlCount} URLs, more than ${maxUrls}`);
  }
  const firstValues = new Map<string, string>();
  for (const { allowed } of sources) {
    for (const [name, list] of allowed) firstValues.set(name, [...list][0] ?? '');
  }
  // What is wrong with the template is told at start, not by the first token.
  parseEndpoint(fill(template, (name) => firstValues.get(name) ?? ''));
}
