import { TokenOptionError } from './token-option-error.ts';

/**
 * Compiles an operator's pattern, with Go's `(?P<name>…)` for named groups. Other syntax that
 * JavaScript reads differently (`\A`, `\z`, `(?i)`) is an error rather than another meaning.
 * @throws TokenOptionError
 */
export function compileClaimPattern(
  option: string,
  pattern: string,
  { isWhole = false }: { readonly isWhole?: boolean } = {},
): RegExp {
  const source = pattern.replaceAll('(?P<', '(?<');
  try {
    return new RegExp(isWhole ? `^(?:${source})$` : source, 'u');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TokenOptionError(option, `is not a regular expression of JavaScript: ${why}`);
  }
}
