import type { Database as SqliteDatabase, Statement } from 'better-sqlite3';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { streamingRefused } from '../engine.ts';
import { StoreError } from '../errors.ts';
import { fromSqliteError } from './sqlite-errors.ts';

/**
 * Prepared statements of one connection, the most recently used ones. Statements that are made anew
 * for each query are freed only when the event loop turns, which lets memory grow in bursts.
 */
export class StatementCache {
  readonly #database: SqliteDatabase;
  readonly #limit: number;
  readonly #statements = new Map<string, Statement>();

  constructor(database: SqliteDatabase, limit = 300) {
    this.#database = database;
    this.#limit = limit;
  }

  get(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      if (this.#statements.size >= this.#limit) {
        const [oldest] = this.#statements.keys();
        if (oldest !== undefined) this.#statements.delete(oldest);
      }
    } else {
      this.#statements.delete(sql);
    }
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** One transaction on an SQLite connection, as Kysely sees it. */
export class SqliteSession implements DatabaseConnection {
  readonly #statements: StatementCache;
  readonly #file: string;
  #isOver = false;
  #failure: StoreError | undefined;

  constructor(statements: StatementCache, file: string) {
    this.#statements = statements;
    this.#file = file;
  }

  /** The statement error that ended this transaction, whether or not the work let it through. */
  get failure(): StoreError | undefined {
    return this.#failure;
  }

  /** Refuses everything from now on. */
  end(): void {
    this.#isOver = true;
  }

  // Kysely's interface is asynchronous; the database is not.
  // oxlint-disable-next-line typescript/require-await
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    this.#assertUsable();
    try {
      assertStorable(query.parameters);
      const statement = this.#statements.get(query.sql);
      if (statement.reader) return { rows: statement.all(query.parameters) as R[] };
      const { changes, lastInsertRowid } = statement.run(query.parameters);
      return { numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid), rows: [] };
    } catch (error) {
      throw this.#fail(error);
    }
  }

  // oxlint-disable-next-line require-yield -- the driver port wants a generator; this one only refuses
  async *streamQuery<R>(): AsyncGenerator<QueryResult<R>> {
    throw streamingRefused();
  }

  #assertUsable(): void {
    if (this.#isOver) {
      throw new StoreError(
        'store_transaction_over',
        'a statement came after its transaction had ended',
      );
    }
    if (this.#failure !== undefined) {
      throw new StoreError(
        'store_transaction_over',
        'a statement came after another one of its transaction had failed',
        { cause: this.#failure },
      );
    }
  }

  #fail(error: unknown): unknown {
    // Values that SQLite has no type for (a boolean, an object) are refused before they reach it.
    const isBadValue = error instanceof TypeError || error instanceof RangeError;
    const mapped = isBadValue
      ? new StoreError('store_bad_value', `SQLite: ${error.message}`, { cause: error })
      : fromSqliteError(error, this.#file);
    if (mapped instanceof StoreError && !this.#isOver) this.#failure ??= mapped;
    return mapped;
  }
}

/** PostgreSQL refuses NUL in text; SQLite must not accept what could never be moved there. */
function assertStorable(parameters: readonly unknown[]): void {
  for (const parameter of parameters) {
    if (typeof parameter === 'string' && parameter.includes('\0')) {
      throw new StoreError('store_bad_value', 'text to store contains the character NUL');
    }
  }
}
