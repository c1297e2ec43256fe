import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TokenOptionError } from '@holdfast/hub';
import type { Command } from 'commander';
import { guardProcess } from '../process-guard.ts';
import { StartError } from '../start-error.ts';
import type { RunningServer } from '../server.ts';
import type { Finish } from './config-command.ts';
import { addConfigOptions, givenConfig, type GivenConfig } from './config-options.ts';
import { describeProblem } from './describe-findings.ts';
import { loadFromTerminal } from './load-from-terminal.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

/** What `holdfast serve` takes and does. */
export function defineServeCommand(serve: Command, terminal: Terminal, finish: Finish): void {
  serve
    .description(
      'Runs the server until it is asked to end (SIGINT, SIGTERM); on SIGHUP it reads its configuration again and takes over what needs no restart. Without any configuration it listens on this machine only, makes its secrets once, and prints a link that opens its page.',
    )
    .option('--sign-in-link', 'print the link that opens the page although nobody is watching')
    .action(async () => {
      const { signInLink = false } = serve.opts<{ readonly signInLink?: boolean }>();
      finish(await runServer(terminal, givenConfig(serve), { signInLink }));
    });
  addConfigOptions(serve);
}

async function runServer(
  terminal: Terminal,
  given: GivenConfig,
  { signInLink }: { readonly signInLink: boolean },
): Promise<ExitCode> {
  const loaded = loadFromTerminal(terminal, given, { makeSecrets: true });
  if ('errors' in loaded) {
    for (const error of loaded.errors) terminal.err(describeProblem(error, terminal.errColors));
    terminal.err('The server was not started.');
    return exitCodes.failed;
  }
  // Only this command needs the whole server; the others answer at once.
  const { startServer } = await import('../server.ts');
  const starting = new AbortController();
  const asked = terminal.stopRequested();
  void asked.then(() => starting.abort());
  const pidFile = loaded.config.pid_file && path.resolve(terminal.cwd, loaded.config.pid_file);
  let server: RunningServer | undefined;
  try {
    server = await startServer({ ...loaded, signal: starting.signal });
    writePidFile(pidFile);
  } catch (error) {
    await server?.stop();
    if (!isExplained(error)) throw error;
    terminal.err(`${terminal.errColors.red('error')} ${error.message}`);
    terminal.err('The server was not started.');
    // Whoever asked it to end has what they wanted: a supervisor must not count that as a failure.
    return starting.signal.aborted ? exitCodes.ok : exitCodes.failed;
  }
  const running = server;
  const removeGuard = guardProcess(running, () => reload(running, terminal, given));
  try {
    announce(server, terminal, { signInLink });
    const signal = await asked;
    server.logger.info({ signal }, 'stopping, as asked by a signal');
    await server.stop();
  } finally {
    removeGuard();
    if (pidFile !== '') rmSync(pidFile, { force: true });
  }
  return exitCodes.ok;
}

/** @throws StartError when it cannot be written */
function writePidFile(file: string): void {
  if (file === '') return;
  try {
    writeFileSync(file, `${process.pid}\n`);
  } catch (error) {
    throw new StartError(
      'pid_file',
      `The file for the process id, ${file}, cannot be written: ${(error as Error).message}. Make its folder and let the user that runs the server write there, or correct pid_file.`,
      { cause: error },
    );
  }
}

const cannotWork = 'the new configuration cannot work: nothing was changed';

/** Whether an error says in its message what is wrong and what to do about it. */
function isExplained(error: unknown): error is StartError | TokenOptionError {
  return error instanceof StartError || error instanceof TokenOptionError;
}

/** Reads the configuration again. One that cannot work changes nothing. */
function reload(server: RunningServer, terminal: Terminal, given: GivenConfig): void {
  const { logger } = server;
  try {
    const loaded = loadFromTerminal(terminal, given, { makeSecrets: false });
    if ('errors' in loaded) {
      const problems = loaded.errors.map(
        ({ key, problem, reason, remedy }) => `${key} ${problem}, because ${reason}. ${remedy}`,
      );
      logger.error({ problems }, cannotWork);
      return;
    }
    for (const { key, message } of loaded.warnings) logger.warn({ key }, message);
    server.reload(loaded.config);
  } catch (error) {
    if (isExplained(error)) logger.error({ problems: [error.message] }, cannotWork);
    else logger.error({ err: error }, 'the configuration could not be read: nothing was changed');
  }
}

/** Greets the person at the terminal. Elsewhere the link would end up in a log for others to use. */
function announce(
  server: RunningServer,
  terminal: Terminal,
  { signInLink }: { readonly signInLink: boolean },
): void {
  if (!terminal.isInteractive && !signInLink) return;
  const lines = [`Holdfast is running at ${terminal.errColors.bold(server.addresses[0] ?? '')}`];
  if (server.signInLink !== undefined) {
    lines.push(
      `Open its page (works once, within the hour): ${terminal.errColors.cyan(server.signInLink)}`,
    );
  }
  terminal.err(`\n  ${lines.join('\n  ')}\n`);
}
