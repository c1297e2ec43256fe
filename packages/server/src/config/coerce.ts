import { Duration } from './duration.ts';
import { Secret } from './secret.ts';

/** What kind of value an option takes; decides how text is read, checked, printed and documented. */
export type OptionKind =
  | 'boolean'
  | 'integer'
  | 'text'
  | 'choice'
  | 'duration'
  | 'textList'
  | 'secret'
  | 'secretMap';

const booleans = new Map([
  ['true', true],
  ['t', true],
  ['1', true],
  ['false', false],
  ['f', false],
  ['0', false],
]);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/**
 * Turns what a file, an environment variable or a flag holds into what the option's schema checks.
 * Text is read as the kind asks for, wherever it comes from (Centrifugo does so too: `port: "8000"`
 * works). What cannot be turned is returned as it is, for the schema to refuse.
 */
export function coerce(kind: OptionKind, raw: unknown): unknown {
  switch (kind) {
    case 'boolean':
      return typeof raw === 'string' ? (booleans.get(raw.toLowerCase()) ?? raw) : raw;
    case 'integer':
      return typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw;
    case 'duration':
      if (typeof raw !== 'string' && raw !== 0 && raw !== -1) return raw;
      return Duration.parse(String(raw)) ?? raw;
    case 'textList':
      if (typeof raw !== 'string') return raw;
      return raw.trimStart().startsWith('[') ? parseJson(raw) : raw.split(/\s+/).filter(Boolean);
    case 'secret':
      return typeof raw === 'string' ? new Secret(raw) : raw;
    case 'secretMap': {
      const map = typeof raw === 'string' ? parseJson(raw) : raw;
      if (typeof map !== 'object' || map === null || Array.isArray(map)) return map;
      return Object.fromEntries(
        Object.entries(map).map(([name, value]) => [name, coerce('secret', value)]),
      );
    }
    case 'text':
    case 'choice':
      return raw;
    default:
      return kind satisfies never;
  }
}
