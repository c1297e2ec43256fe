import { StoreError } from './errors.ts';
import { findProblems } from './integrity.ts';
import { StoreMetrics } from './metrics.ts';
import { pendingMigrations, type StoreModule } from './migrations.ts';
import { moveStore } from './move.ts';
import { openEngine } from './store.ts';
import { storeModule } from './store-module.ts';

/** What a command of the program prints, and how it exits. */
export interface CommandResult {
  readonly text: string;
  /** 0: fine. 1: problems were found, or it could not be done. */
  readonly exitCode: 0 | 1;
}

/** Reports how far a long command is, as one line that replaces the one before. */
export type ReportProgress = (line: string) => void;

/** `holdfast store backup`: copies an SQLite store to a new file while the server may be running. */
export function backupCommand(options: {
  readonly url: string;
  readonly target: string;
  readonly onProgress?: ReportProgress;
}): Promise<CommandResult> {
  return answer(async () => {
    const engine = await openEngine(options, { metrics: new StoreMetrics(), role: 'tool' });
    try {
      let size = 0;
      await engine.backup(options.target, ({ bytes, totalBytes }) => {
        size = totalBytes;
        options.onProgress?.(`copied ${megabytes(bytes)} of ${megabytes(totalBytes)}`);
      });
      return done(
        `${engine.label} is backed up to ${options.target} (${megabytes(size)}, checked)`,
      );
    } finally {
      await engine.close();
    }
  });
}

/** `holdfast store check`: looks for damage and broken rules, beside a running server too. */
export function checkCommand(options: {
  readonly url: string;
  readonly modules: readonly StoreModule[];
}): Promise<CommandResult> {
  return answer(async () => {
    const engine = await openEngine(options, { metrics: new StoreMetrics(), role: 'tool' });
    try {
      const modules = [storeModule, ...options.modules];
      const pending = await pendingMigrations(engine, modules);
      // The rules of the modules are about the newest tables.
      const problems = await findProblems(engine, pending.length === 0 ? modules : []);
      const note =
        pending.length === 0
          ? ''
          : `\nThe next start applies ${pending.length} migrations: ${pending.join(', ')}`;
      if (problems.length === 0) return done(`${engine.label}: no problems found${note}`);
      const list = problems.map((problem) => `- ${problem}`).join('\n');
      return { text: `${engine.label}: ${problems.length} problems\n${list}${note}`, exitCode: 1 };
    } finally {
      await engine.close();
    }
  });
}

/** `holdfast store move`: copies an SQLite store to PostgreSQL. */
export function moveCommand(options: {
  readonly from: string;
  readonly to: string;
  readonly modules: readonly StoreModule[];
  readonly onProgress?: ReportProgress;
}): Promise<CommandResult> {
  return answer(async () => {
    const report = await moveStore({
      ...options,
      onProgress({ table, rows, totalRows }) {
        options.onProgress?.(`${table}: ${rows} of ${totalRows} rows`);
      },
    });
    const list = report.tables.map(({ name, rows }) => `${name}: ${rows} rows`).join('\n');
    return done(
      `${list}\nEverything arrived. Set store.url to the new database and start the server; ` +
        `the old file is unchanged and can be kept as a backup.`,
    );
  });
}

function done(text: string): CommandResult {
  return { text, exitCode: 0 };
}

async function answer(run: () => Promise<CommandResult>): Promise<CommandResult> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof StoreError) return { text: error.message, exitCode: 1 };
    throw error;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
