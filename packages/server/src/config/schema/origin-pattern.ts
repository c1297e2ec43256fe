const originPattern =
  /^[a-z*][a-z0-9+.*-]*:\/\/(?:\[[0-9a-f:.]+\]|[^\s/?#[\]{}:]*)(?::(?:\d{1,5}|\*))?$/i;

/**
 * Looks for the mistakes that make an `allowed_origins` entry useless: an `Origin` header is always
 * `scheme://host[:port]` (RFC 6454 §6.2), so a pattern with a path or without scheme matches nothing.
 * @returns why the pattern matches nothing, to follow "which".
 */
export function originPatternFault(pattern: string): string | undefined {
  if (pattern === '*' || pattern === 'null') return undefined;
  if (!pattern.includes('://')) {
    return 'has no scheme and so matches no page: write "https://" in front';
  }
  const [, rest = ''] = pattern.split('://', 2);
  if (rest.includes('/')) return 'has a "/" after the host and so matches no page: leave that off';
  if (/[?{}]/.test(rest)) return 'uses a wildcard other than "*", which is the only one there is';
  return originPattern.test(pattern) ? undefined : 'is not of the form scheme://host[:port]';
}
