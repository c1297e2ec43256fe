import {
  DefaultQueryExecutor,
  DummyDriver,
  SingleConnectionProvider,
  Transaction,
  type DatabaseConnection,
} from 'kysely';
import type { Engine } from './engine.ts';

/** An open transaction: Kysely's query builder, bound to it. Unusable once the transaction ended. */
export type StoreTransaction<Tables> = Transaction<Tables>;

/** Kysely for one transaction of an engine. */
export function openSession<Tables>(
  engine: Engine,
  connection: DatabaseConnection,
): StoreTransaction<Tables> {
  const dialect = engine.kysely;
  return new Transaction<Tables>({
    config: { dialect },
    dialect,
    driver: new DummyDriver(),
    executor: new DefaultQueryExecutor(
      dialect.createQueryCompiler(),
      dialect.createAdapter(),
      new SingleConnectionProvider(connection),
    ),
  });
}
