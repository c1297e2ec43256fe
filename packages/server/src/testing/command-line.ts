import pc from 'picocolors';
import { runCli } from '../cli/run-cli.ts';

export interface CommandLineRun {
  readonly code: number;
  /** What was printed, without colors. */
  readonly out: string;
  readonly err: string;
}

const plain = pc.createColors(false);

/** Runs the program's command line in a folder, as a script would: nobody is there to be asked. */
export async function runCommandLine(
  cwd: string,
  args: readonly string[],
  {
    environment = {},
    input = '',
  }: { readonly environment?: Record<string, string>; readonly input?: string } = {},
): Promise<CommandLineRun> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(args, {
    cwd,
    environment,
    outColors: plain,
    errColors: plain,
    isInteractive: false,
    out: (lines) => out.push(lines),
    err: (lines) => err.push(lines),
    readInput: () => Promise.resolve(input),
    stopRequested: () => new Promise(() => undefined),
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}
