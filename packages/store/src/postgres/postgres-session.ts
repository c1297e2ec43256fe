import type { PoolClient } from 'pg';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { streamingRefused } from '../engine.ts';
import { StoreError } from '../errors.ts';
import { fromPostgresError, isConnectionError, isReadOnlyError } from './postgres-errors.ts';

/** Whether a transaction may change anything. */
export type TransactionMode = 'read' | 'write';

/** One transaction on a PostgreSQL connection, as Kysely sees it. */
export class PostgresSession implements DatabaseConnection {
  readonly #client: PoolClient;
  readonly #label: string;
  readonly #mode: TransactionMode;
  #isOver = false;
  #failure: StoreError | undefined;
  #isBroken = false;

  constructor(
    client: PoolClient,
    options: { readonly label: string; readonly mode: TransactionMode },
  ) {
    this.#client = client;
    this.#label = options.label;
    this.#mode = options.mode;
  }

  /** The statement error that ended this transaction, whether or not the work let it through. */
  get failure(): StoreError | undefined {
    return this.#failure;
  }

  /** The connection must not be used again. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Refuses everything from now on. */
  end(): void {
    this.#isOver = true;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#isOver || this.#failure !== undefined) {
      throw new StoreError(
        'store_transaction_over',
        this.#failure === undefined
          ? 'a statement came after its transaction had ended'
          : 'a statement came after another one of its transaction had failed',
        { cause: this.#failure },
      );
    }
    try {
      const result = await this.#client.query(query.sql, query.parameters as unknown[]);
      return {
        rows: result.rows as R[],
        ...(result.rowCount === null ? {} : { numAffectedRows: BigInt(result.rowCount) }),
      };
    } catch (error) {
      const mapped = this.#map(error);
      if (isConnectionError(mapped)) this.#isBroken = true;
      if (mapped instanceof StoreError) this.#failure ??= mapped;
      throw mapped;
    }
  }

  #map(error: unknown): unknown {
    const mapped = fromPostgresError(error, this.#label);
    // In a read the transaction refuses changes, whatever the server does.
    if (this.#mode === 'write' || !isReadOnlyError(mapped)) return mapped;
    return new StoreError(
      'store_query_failed',
      `${this.#label}: a read tried to change something`,
      {
        cause: error,
      },
    );
  }

  // oxlint-disable-next-line require-yield -- the driver port wants a generator; this one only refuses
  async *streamQuery<R>(): AsyncGenerator<QueryResult<R>> {
    throw streamingRefused();
  }
}
