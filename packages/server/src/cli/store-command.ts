import type { Command } from 'commander';
import type { CommandResult, ReportProgress, StoreModule } from '@holdfast/store';
import { storeUrl } from '../config/store-options.ts';
import type { Finish } from './config-command.ts';
import { addConfigOptions, givenConfig } from './config-options.ts';
import { describeProblem } from './describe-findings.ts';
import { loadFromTerminal } from './load-from-terminal.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

/** What `holdfast store …` takes and does. */
export function defineStoreCommand(store: Command, terminal: Terminal, finish: Finish): void {
  store.description('Looks after the store of notifications, tasks and durable channels.');

  const backup = store
    .command('backup')
    .summary('copy an SQLite store while it is in use')
    .description(
      'Copies an SQLite store to a new file, checks the copy, then gives it its name. A server may be running. PostgreSQL is backed up with pg_dump.',
    )
    .argument('<file>', 'the copy; must not be there yet')
    .action(async (target: string) => {
      finish(
        await withStore(backup, terminal, async ({ url, onProgress }) => {
          const { backupCommand } = await import('@holdfast/store');
          return backupCommand({ url, target, onProgress });
        }),
      );
    });
  addConfigOptions(backup);

  const check = store
    .command('check')
    .summary('look for damage and broken rules')
    .description(
      'Looks for damage in the database and for rows that break a rule, beside a running server too. Exits with 1 when it finds any.',
    )
    .action(async () => {
      finish(
        await withStore(check, terminal, async ({ url, modules }) => {
          const { checkCommand } = await import('@holdfast/store');
          return checkCommand({ url, modules });
        }),
      );
    });
  addConfigOptions(check);

  const move = store
    .command('move')
    .summary('copy an SQLite store to PostgreSQL')
    .description(
      'Copies an SQLite store to an empty PostgreSQL database and compares the two. The server must be stopped; the file stays as it is.',
    )
    .argument(
      '[url]',
      'postgres://user:password@host/database; read from standard input when it is missing, so that no other user of this machine sees the password',
    )
    .action(async (given: string | undefined) => {
      const to = given ?? (await terminal.readInput()).trim();
      finish(
        await withStore(move, terminal, async ({ url, modules, onProgress }) => {
          const { moveCommand } = await import('@holdfast/store');
          return moveCommand({ from: url, to, modules, onProgress });
        }),
      );
    });
  addConfigOptions(move);
}

interface StoreAccess {
  readonly url: string;
  readonly modules: readonly StoreModule[];
  readonly onProgress: ReportProgress;
}

const progressEveryMs = 1_000;

async function withStore(
  command: Command,
  terminal: Terminal,
  run: (access: StoreAccess) => Promise<CommandResult>,
): Promise<ExitCode> {
  const loaded = loadFromTerminal(terminal, givenConfig(command), { makeSecrets: false });
  if ('errors' in loaded) {
    for (const error of loaded.errors) terminal.err(describeProblem(error, terminal.errColors));
    return exitCodes.failed;
  }
  const { storeModules } = await import('../durable/store-modules.ts');
  let saidAt = performance.now();
  const { text, exitCode } = await run({
    url: storeUrl(loaded.config, terminal.cwd),
    modules: storeModules,
    onProgress(line) {
      const now = performance.now();
      if (!terminal.isInteractive || now - saidAt < progressEveryMs) return;
      saidAt = now;
      terminal.err(line);
    },
  });
  if (exitCode === 0) {
    terminal.out(text);
    return exitCodes.ok;
  }
  terminal.err(text);
  return exitCodes.failed;
}
