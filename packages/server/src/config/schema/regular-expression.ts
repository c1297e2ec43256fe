import { text, type OptionSchema } from '../option.ts';

/**
 * A regular expression in JavaScript's syntax. Go's named groups (`(?P<name>…)`), which Centrifugo's
 * files have, are the one difference that is common; {@link toJavaScriptRegex} turns them around.
 */
export function regularExpression(description: string): OptionSchema<string> {
  return text('', description, {
    check(source) {
      try {
        void new RegExp(toJavaScriptRegex(source), 'u');
        return undefined;
      } catch (error) {
        return `does not compile (${error instanceof Error ? error.message : String(error)})`;
      }
    },
  });
}

/** Go's `(?P<name>…)` is JavaScript's `(?<name>…)`. */
export function toJavaScriptRegex(source: string): string {
  return source.replaceAll('(?P<', '(?<');
}
