import {
  sql,
  type ColumnDefinitionBuilder,
  type CreateTableBuilder,
  type RawBuilder,
  type Transaction,
} from 'kysely';
import type { Clock } from './clock.ts';
import type { DialectName, Engine } from './engine.ts';
import { StoreError } from './errors.ts';
import { lockKey } from './lock-key.ts';
import { openSession } from './session.ts';

/** Column types that mean the same on both databases. Times are Unix milliseconds, booleans 0 and 1. */
export interface ColumnTypes {
  /** Compared byte by byte, so that order and ranges are the same everywhere. */
  readonly text: RawBuilder<unknown>;
  /** 64 bits. */
  readonly integer: RawBuilder<unknown>;
  readonly bytes: RawBuilder<unknown>;
  /** For `addColumn(name, types.integer, types.sequence)`: numbers that increase and never come back. */
  readonly sequence: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;
}

/** What a migration works with. */
export interface MigrationContext {
  readonly db: Transaction<unknown>;
  readonly dialect: DialectName;
  readonly types: ColumnTypes;
  /** Like `db.schema.createTable`, with type checks on SQLite as PostgreSQL has them anyway. */
  readonly createTable: (name: string) => CreateTableBuilder<string>;
}

/** One step forward of a module's tables. Never changed once released, never undone. */
export interface Migration {
  /** For people; recorded, and compared with what was applied. */
  readonly name: string;
  up(context: MigrationContext): Promise<void>;
}

/** Looks for broken rules in a module's tables. */
export interface IntegrityCheck {
  readonly name: string;
  /** One sentence for each problem. Runs on one unchanging state of the database. */
  find(db: Transaction<unknown>): Promise<readonly string[]>;
}

/** A feature that keeps tables in the store. */
export interface StoreModule {
  readonly name: string;
  /** In order; new ones are only ever added at the end. */
  readonly migrations: readonly Migration[];
  readonly checks?: readonly IntegrityCheck[];
  /**
   * The greatest id that the module's tables hold, where their order is by id. New ids continue above
   * it, though the machine's clock was set back while the program was not running.
   */
  readonly newestId?: (db: Transaction<unknown>) => Promise<string | undefined>;
  /**
   * The database may be an older state of itself: a copy that was restored, or one that has lost its
   * last changes. Sees to it that nothing which was given out since then is given out again with
   * another meaning. Runs before the store is used.
   */
  readonly beginAnew?: (db: Transaction<unknown>) => Promise<void>;
}

interface AppliedMigration {
  readonly module: string;
  readonly number: number;
  readonly name: string;
}

/** Held by whoever changes tables, or what is in them, before the store is used. */
export const migrationLock: bigint = lockKey('holdfast:migrations');

const columnTypes: Readonly<Record<DialectName, ColumnTypes>> = {
  sqlite: {
    text: sql`text`,
    integer: sql`integer`,
    bytes: sql`blob`,
    sequence: (column) => column.primaryKey().autoIncrement(),
  },
  postgres: {
    text: sql`text collate "C"`,
    integer: sql`bigint`,
    bytes: sql`bytea`,
    sequence: (column) => column.primaryKey().generatedByDefaultAsIdentity(),
  },
};

function contextFor(db: Transaction<unknown>, dialect: DialectName): MigrationContext {
  return {
    db,
    dialect,
    types: columnTypes[dialect],
    createTable(name) {
      const builder = db.schema.createTable(name);
      return dialect === 'sqlite' ? builder.modifyEnd(sql`strict`) : builder;
    },
  };
}

/**
 * Brings every module's tables up to date. Each migration is one transaction that also records it, and
 * takes the migration lock first: it happened as a whole or not at all, whoever else starts at the
 * same time and wherever the process dies.
 *
 * @returns the migrations applied, as `module/name`
 * @throws {@link StoreError} `store_newer` when the database knows migrations that this program does
 * not; `store_migration_failed` with the cause when one fails.
 */
export async function migrate(
  engine: Engine,
  modules: readonly StoreModule[],
  clock: Clock,
): Promise<readonly string[]> {
  await engine.write(
    async (connection) => {
      await engine.lock(connection, [migrationLock]);
      await createMigrationTable(engine, openSession(engine, connection));
    },
    { timeoutMs: 0 },
  );
  const done: string[] = [];
  for (;;) {
    const name = await applyNext(engine, modules, clock);
    if (name === undefined) return done;
    done.push(name);
  }
}

/**
 * Migrations that the next start would apply, as `module/name`, without changing anything.
 * @throws {@link StoreError} `store_newer`
 */
export function pendingMigrations(
  engine: Engine,
  modules: readonly StoreModule[],
): Promise<readonly string[]> {
  return engine.read(async (connection) => {
    const db = openSession<unknown>(engine, connection);
    const tables = await db.introspection.getTables();
    const isNew = !tables.some((table) => table.name === 'store_migrations');
    const applied = isNew ? [] : await readApplied(db);
    findNext(modules, applied, engine.label);
    return modules.flatMap(({ name: module, migrations }) =>
      migrations
        .slice(applied.filter((row) => row.module === module).length)
        .map(({ name }) => `${module}/${name}`),
    );
  });
}

async function createMigrationTable(engine: Engine, db: Transaction<unknown>): Promise<void> {
  const { createTable, types } = contextFor(db, engine.name);
  await createTable('store_migrations')
    .ifNotExists()
    .addColumn('module', types.text, (column) => column.notNull())
    .addColumn('number', types.integer, (column) => column.notNull())
    .addColumn('name', types.text, (column) => column.notNull())
    .addColumn('applied_at', types.integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('store_migrations_pk', ['module', 'number'])
    .execute();
}

async function applyNext(
  engine: Engine,
  modules: readonly StoreModule[],
  clock: Clock,
): Promise<string | undefined> {
  let running: string | undefined;
  try {
    return await engine.write(
      async (connection) => {
        await engine.lock(connection, [migrationLock]);
        const db = openSession<unknown>(engine, connection);
        const next = findNext(modules, await readApplied(db), engine.label);
        if (next === undefined) return undefined;
        running = `${next.module}/${next.migration.name}`;
        await next.migration.up(contextFor(db, engine.name));
        await sql`insert into store_migrations (module, number, name, applied_at)
          values (${next.module}, ${next.number}, ${next.migration.name}, ${clock.now()})`.execute(
          db,
        );
        return running;
      },
      { timeoutMs: 0 },
    );
  } catch (error) {
    if (running === undefined || (error instanceof StoreError && error.retryable)) throw error;
    throw new StoreError(
      'store_migration_failed',
      `${engine.label}: migration ${running} failed: ${String(error)}`,
      { cause: error },
    );
  }
}

async function readApplied(db: Transaction<unknown>): Promise<readonly AppliedMigration[]> {
  const { rows } = await sql<AppliedMigration>`
    select module, number, name from store_migrations order by module, number`.execute(db);
  return rows;
}

function findNext(
  modules: readonly StoreModule[],
  applied: readonly AppliedMigration[],
  label: string,
): { module: string; number: number; migration: Migration } | undefined {
  let next: { module: string; number: number; migration: Migration } | undefined;
  for (const { name: module, migrations } of modules) {
    const done = applied.filter((row) => row.module === module);
    for (const [index, row] of done.entries()) {
      const known = migrations[index];
      if (known === undefined || known.name !== row.name) {
        throw new StoreError(
          'store_newer',
          `${label} has the migration ${module}/${row.name} (number ${row.number}), which this ` +
            `version of the program does not know`,
        );
      }
    }
    const migration = migrations[done.length];
    if (migration !== undefined) next ??= { module, number: done.length + 1, migration };
  }
  return next;
}
