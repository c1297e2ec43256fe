/** Any run of what a host or a port is made of: nothing that would make the host end earlier. */
const wildcard = String.raw`[^/@?#\\\s,]*`;

/**
 * Compiles `allowed_origins` patterns into a check. `*` stands for any run of characters within the
 * host or port; the pattern `*` alone allows every origin. Comparison is case-insensitive and always
 * of the whole origin, so that `https://example.com.evil.net` never matches `https://example.com`.
 */
export function compileOrigins(patterns: readonly string[]): (origin: string) => boolean {
  if (patterns.includes('*')) return () => true;
  const expressions = patterns.map((pattern) => {
    const source = pattern
      .toLowerCase()
      .split('*')
      .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`))
      .join(wildcard);
    return new RegExp(`^${source}$`);
  });
  return (origin) => {
    const lower = origin.toLowerCase();
    return expressions.some((expression) => expression.test(lower));
  };
}
