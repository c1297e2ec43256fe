import path from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { LineCounter, parseDocument } from 'yaml';
import type { RawSection } from './layers.ts';
import type { ConfigProblem } from './problem.ts';

/** Names that are looked for in the working directory when no file is named, first one wins. */
export const defaultFileNames = [
  'config.json',
  'config.yaml',
  'config.yml',
  'config.toml',
] as const;

/** A fault in a file's text. Only where it is: the text itself may hold secrets. */
class SyntaxFault extends Error {}

function parseYaml(text: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    const what = error.code.toLowerCase().replaceAll('_', ' ');
    throw new SyntaxFault(`${what} at line ${line}, column ${col}`);
  }
  try {
    return document.toJS() as unknown;
  } catch {
    throw new SyntaxFault(
      'an alias ("*name") without its anchor ("&name"); is a text to be quoted?',
    );
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The message of JSON.parse quotes the text. JSON is a subset of YAML, whose parser tells where.
    parseYaml(text);
    throw new SyntaxFault(
      'something that YAML allows but JSON does not, such as a comment, a trailing comma or a missing quote',
    );
  }
}

function parseTomlText(text: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new SyntaxFault(`a syntax error at line ${error.line}, column ${error.column}`);
  }
}

const parsers = new Map<string, { readonly format: string; parse(text: string): unknown }>([
  ['.json', { format: 'JSON', parse: parseJson }],
  ['.yaml', { format: 'YAML', parse: parseYaml }],
  ['.yml', { format: 'YAML', parse: parseYaml }],
  ['.toml', { format: 'TOML', parse: parseTomlText }],
]);

/** Reads the text of a configuration file in the format that its name's ending says. */
export function parseConfigFile(
  file: string,
  text: string,
): { readonly section: RawSection } | { readonly problem: ConfigProblem } {
  const origin = { source: 'file', file } as const;
  const parser = parsers.get(path.extname(file).toLowerCase());
  if (parser === undefined) {
    return {
      problem: {
        key: file,
        problem: 'is of unknown format',
        reason: 'the format of a configuration file is told by the ending of its name',
        remedy: 'Name it .yaml, .yml, .json or .toml.',
        origin,
      },
    };
  }
  const withoutMark = text.startsWith('\u{FEFF}') ? text.slice(1) : text;
  let value: unknown;
  try {
    value = withoutMark.trim() === '' ? {} : parser.parse(withoutMark);
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    return {
      problem: {
        key: file,
        problem: `is not ${parser.format}`,
        reason: `it has ${error.message}`,
        remedy: 'Correct the file, then try it with: holdfast config check',
        origin,
      },
    };
  }
  if (value === null || value === undefined) return { section: {} };
  if (typeof value !== 'object' || Array.isArray(value)) {
    return {
      problem: {
        key: file,
        problem: 'holds a single value or a list',
        reason: 'a configuration is made of sections such as "client" and "channel"',
        remedy: 'See docs/configuration.md, or make a file to begin with: holdfast config generate',
        origin,
      },
    };
  }
  return { section: value as RawSection };
}
