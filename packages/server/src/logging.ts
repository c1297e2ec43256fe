import path from 'node:path';
import { makeFolder } from '@holdfast/store';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { StartError } from './start-error.ts';

/** The server's log, of `pino`. */
export type ServerLogger = PinoLogger;

/** What is logged, where, and in which form. */
export interface LoggingOptions {
  readonly level: 'none' | 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  /** File to append to; empty for standard output. @defaultValue '' */
  readonly file?: string;
  /** Lines for people instead of JSON. @defaultValue whether lines go to a terminal */
  readonly isPretty?: boolean;
  /** Where lines go instead. */
  readonly destination?: DestinationStream;
}

/** Names of fields whose values never appear in a line, at the first three levels of nesting. */
const secretFields = [
  'token',
  'api_key',
  'apiKey',
  'secret',
  'password',
  'authorization',
  'cookie',
  '["set-cookie"]',
  '["x-api-key"]',
];

const censoredPaths = secretFields.flatMap((field) => {
  const member = field.startsWith('[') ? field : `.${field}`;
  return [field, `*${member}`, `*.*${member}`];
});

/** Control characters that move a terminal's cursor or fake a line of their own. */
// oxlint-disable-next-line no-control-regex -- finding control characters is the purpose
const controlCharacters = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g;

/**
 * A logger of one line per event: JSON for machines, readable text on a terminal. Known secret
 * fields are censored, and nothing that a stranger sent can start a line of its own or reach the
 * terminal as a control sequence.
 *
 * @throws StartError when the file cannot be written
 */
export function createLogger(options: LoggingOptions): ServerLogger {
  const isTerminal = !options.file && !options.destination && process.stdout.isTTY;
  const destination =
    options.destination ?? (options.file ? appendTo(options.file) : process.stdout);
  return pino(
    {
      level: pinoLevel(options.level),
      base: null,
      redact: { paths: censoredPaths, censor: '***' },
    },
    (options.isPretty ?? isTerminal) ? prettyStream(destination) : jsonStream(destination),
  );
}

/** The name that pino has for a level. */
export function pinoLevel(level: LoggingOptions['level']): string {
  return level === 'none' ? 'silent' : level;
}

/** Written at once, so that the last lines before a crash are there too. */
function appendTo(file: string): DestinationStream {
  try {
    makeFolder(path.dirname(file), 0o777);
    return pino.destination({ dest: file, append: true, sync: true });
  } catch (error) {
    throw new StartError(
      'log_file',
      `The log file ${file} cannot be written: ${(error as Error).message}. Make its folder and let the user that runs the server write there, or correct log.file.`,
      { cause: error },
    );
  }
}

/** JSON leaves these as they are, and a terminal that shows the file would obey them. */
const controlsOutsideAscii = /[\u007f-\u009f\u2028\u2029]/g;

function jsonStream(destination: DestinationStream): DestinationStream {
  return {
    write(line) {
      destination.write(
        line.replaceAll(
          controlsOutsideAscii,
          (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
        ),
      );
    },
  };
}

function prettyStream(destination: DestinationStream): DestinationStream {
  const format = prettyFactory({
    colorize: destination === process.stdout && process.stdout.hasColors(),
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: true,
  });
  return {
    write(line) {
      const event = escapeControls(JSON.parse(line)) as Record<string, unknown>;
      destination.write(format(event));
    },
  };
}

/** Writes control characters as `\x1b`; the lines of a stack trace stay lines. */
function escapeControls(value: unknown, name = ''): unknown {
  if (typeof value === 'string') {
    return name === 'stack' ? value.split('\n').map(escapeText).join('\n') : escapeText(value);
  }
  if (Array.isArray(value)) return value.map((element) => escapeControls(element));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [escapeText(key), escapeControls(member, key)]),
  );
}

function escapeText(text: string): string {
  return text.replaceAll(
    controlCharacters,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
