import { isIP } from 'node:net';
import { compileClaimPattern } from './claim-pattern.ts';
import type { JwtVerifierOptions } from './jwt-options.ts';
import type { RegisteredClaims } from './token-claims.ts';
import { TokenOptionError } from './token-option-error.ts';
import { quote, TokenRefusal } from './token-refusal.ts';

type UrlOptions = Pick<
  JwtVerifierOptions,
  'jwksPublicEndpoint' | 'issuerRegex' | 'audienceRegex' | 'insecureSkipJwksEndpointSafetyCheck'
>;

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
const valuePattern = /^[A-Za-z0-9_-]{1,128}$/;
const listPattern = /^[A-Za-z0-9_-]+(\|[A-Za-z0-9_-]+)*$/;
const groupPattern = /\(\?P?<(\w+)>([^()]*)\)/g;
const maxMatchedChars = 512;

/**
 * Reads the endpoint option. A token can only choose among values that the configuration lists
 * (unless the operator has said otherwise): anything freer lets a stranger pick the server whose
 * keys are believed (GHSA-j77h-rr39-c552).
 * @throws TokenOptionError
 */
export function createJwksUrlResolver(options: UrlOptions): JwksUrlResolver {
  const template = options.jwksPublicEndpoint ?? '';
  const places = new Set(Array.from(template.matchAll(placePattern), (match) => match[1] ?? ''));
  if (places.size === 0) {
    const fixed: JwksUrl = { url: requireEndpoint(template), isHostTemplated: false };
    return () => fixed;
  }
  const isOpen = options.insecureSkipJwksEndpointSafetyCheck ?? false;
  const sources = (['issuerRegex', 'audienceRegex'] as const)
    .map((name) => createValueSource(name, options[name] ?? '', { places, isOpen }))
    .filter((source) => source !== undefined);
  checkPlaces(places, sources);
  // What is wrong with the template is told at start, not by the first token.
  const [example, other] = ['first', 'second'].map((value) =>
    requireEndpoint(fill(template, new Map(Array.from(places, (place) => [place, value])))),
  );
  const isHostTemplated = example?.host !== other?.host;

  return (claims) => {
    const values = new Map<string, string>();
    for (const source of sources) {
      const found = source.read(claims);
      if (found instanceof TokenRefusal) return found;
      for (const [name, value] of found) values.set(name, value);
    }
    const url = parseEndpoint(fill(template, values));
    if (url instanceof URL) return { url, isHostTemplated };
    return new TokenRefusal('issuer', `its values make a key set URL that ${url}`);
  };
}

function fill(template: string, values: ReadonlyMap<string, string>): string {
  return template.replaceAll(placePattern, (_, name: string) =>
    encodeURIComponent(values.get(name) ?? ''),
  );
}

function requireEndpoint(text: string): URL {
  const url = parseEndpoint(text);
  if (url instanceof URL) return url;
  throw new TokenOptionError(option, url);
}

/** The URL, or what is wrong with it. */
function parseEndpoint(text: string): URL | string {
  const url = URL.parse(text);
  if (!url) return 'is not a URL';
  if (url.username !== '' || url.password !== '') {
    return 'has a user name or password, but key sets are public';
  }
  if (url.protocol === 'https:') return url;
  if (url.protocol === 'http:' && isLoopbackHost(url.hostname)) return url;
  return 'is not https: keys could be replaced on the way (http is for loopback hosts only)';
}

function isLoopbackHost(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true;
  return isIP(hostname) === 4 && hostname.startsWith('127.');
}

type Values = ReadonlyMap<string, string>;

/** A pattern whose named groups fill places of the URL. */
interface ValueSource {
  readonly groups: readonly string[];
  read(claims: RegisteredClaims): Values | TokenRefusal;
}

function createValueSource(
  name: 'issuerRegex' | 'audienceRegex',
  pattern: string,
  { places, isOpen }: { readonly places: ReadonlySet<string>; readonly isOpen: boolean },
): ValueSource | undefined {
  // Always the whole claim, however the pattern is anchored: a part of it proves nothing.
  const regex = compileClaimPattern(name, pattern, { isWhole: true });
  const groups = namedGroups(regex).filter((group) => places.has(group));
  if (groups.length === 0) return undefined;
  // This pattern meets strings of strangers; a repeated group can take exponential time on them.
  if (/\)[*+{]/.test(pattern)) {
    throw new TokenOptionError(name, `must not repeat a group while it fills ${option}`);
  }
  const lists = isOpen ? undefined : readLists(name, pattern, groups);
  const isAllowed = (group: string, value: string | undefined): value is string =>
    value !== undefined &&
    (lists ? lists.get(group)?.has(value) : valuePattern.test(value)) === true;

  const claim = name === 'issuerRegex' ? 'iss' : 'aud';
  return {
    groups,
    read({ issuer, audiences }) {
      const candidates = claim === 'iss' ? [issuer ?? ''] : audiences;
      for (const candidate of candidates) {
        if (candidate.length > maxMatchedChars) continue;
        const matched = regex.exec(candidate)?.groups;
        if (!matched) continue;
        const values = new Map<string, string>();
        for (const group of groups) {
          const value = matched[group];
          if (isAllowed(group, value)) values.set(group, value);
        }
        if (values.size === groups.length) return values;
      }
      const detail = `"${claim}" is ${quote(candidates.join(', '))}`;
      return new TokenRefusal(claim === 'iss' ? 'issuer' : 'audience', detail);
    },
  };
}

function namedGroups(regex: RegExp): readonly string[] {
  // With an empty alternative it matches the empty string, and the match names every group.
  const match = new RegExp(`${regex.source}|`, regex.flags).exec('');
  return Object.keys(match?.groups ?? {});
}

function readLists(
  name: string,
  pattern: string,
  groups: readonly string[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const lists = new Map<string, ReadonlySet<string>>();
  for (const [, group = '', list = ''] of pattern.matchAll(groupPattern)) {
    if (listPattern.test(list)) lists.set(group, new Set(list.split('|')));
  }
  for (const group of groups) {
    if (lists.has(group)) continue;
    throw new TokenOptionError(
      name,
      `group "${group}" fills ${option}, so it must list the values that are trusted, of the ` +
        `characters A-Z a-z 0-9 _ -, like (?<${group}>first|second)`,
    );
  }
  return lists;
}

function checkPlaces(places: ReadonlySet<string>, sources: readonly ValueSource[]): void {
  for (const place of places) {
    const fillers = sources.filter(({ groups }) => groups.includes(place));
    if (fillers.length === 1) continue;
    const problem = fillers.length > 1 ? 'is a group of both' : 'needs a named group of';
    throw new TokenOptionError(option, `{{${place}}} ${problem} issuerRegex and audienceRegex`);
  }
}
