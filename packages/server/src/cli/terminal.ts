import pc from 'picocolors';
import type { Environment } from '../config/env.ts';

export type Colors = ReturnType<typeof pc.createColors>;

/** What a command has of the outside world besides files. */
export interface Terminal {
  readonly cwd: string;
  readonly environment: Environment;
  /** Writes lines to standard output: what was asked for, and nothing else. */
  readonly out: (lines: string) => void;
  /** Writes lines to standard error: problems, warnings and notes. */
  readonly err: (lines: string) => void;
  /** Colors standard output, where it can show them; elsewhere it leaves text as it is. */
  readonly outColors: Colors;
  /** The same for standard error. */
  readonly errColors: Colors;
  /** Whether a person reads standard error right now, rather than a file or a collector of logs. */
  readonly isInteractive: boolean;
  /** Reads standard input to its end. */
  readonly readInput: () => Promise<string>;
  /** Resolves with the name of the signal when the process is asked to end. */
  readonly stopRequested: () => Promise<string>;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    cwd: process.cwd(),
    environment: process.env,
    out: (lines) => process.stdout.write(`${lines}\n`),
    err: (lines) => process.stderr.write(`${lines}\n`),
    outColors: colorsOf(process.stdout),
    errColors: colorsOf(process.stderr),
    isInteractive: process.stderr.isTTY,
    async readInput() {
      let text = '';
      process.stdin.setEncoding('utf8');
      for await (const chunk of process.stdin) text += chunk as string;
      return text;
    },
    stopRequested: () =>
      new Promise((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) {
          let isFirst = true;
          process.on(signal, () => {
            // Somebody who asks twice does not want to wait for connections to end in order.
            if (!isFirst) process.exit(exitCodes.failed);
            isFirst = false;
            resolve(signal);
          });
        }
      }),
  };
}

/** Asks the stream itself: other signs, such as `CI`, would color what a file or a pipe receives. */
function colorsOf(stream: NodeJS.WriteStream): Colors {
  return pc.createColors(stream.isTTY ? stream.hasColors() : false);
}

/** Exit codes of all commands. */
export const exitCodes = {
  ok: 0,
  /** What was asked for could not be done: a bad configuration, a refused token, a port in use. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
