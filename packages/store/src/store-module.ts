import type { Generated } from 'kysely';
import type { StoreModule } from './migrations.ts';

/** An event that waits to be published. */
export interface OutboxTable {
  /** Order of publication within a channel. Never used twice. */
  readonly seq: Generated<number>;
  /** UUIDv7; the idempotency key is made of it. */
  readonly id: string;
  readonly channel: string;
  /** JSON. */
  readonly data: string;
  readonly created_at: number;
}

/** An event that the broker refused for good. */
export interface DeadLetterTable {
  readonly seq: number;
  readonly id: string;
  readonly channel: string;
  readonly data: string;
  readonly created_at: number;
  readonly died_at: number;
  readonly reason: string;
}

/** Facts about the database itself. */
export interface StoreStateTable {
  readonly name: string;
  readonly value: string;
}

export interface StoreTables {
  outbox: OutboxTable;
  outbox_dead: DeadLetterTable;
  store_state: StoreStateTable;
}

/** The store's own tables. */
export const storeModule: StoreModule = {
  name: 'store',
  migrations: [
    {
      name: 'outbox and state',
      async up({ createTable, types }) {
        await createTable('outbox')
          .addColumn('seq', types.integer, types.sequence)
          .addColumn('id', types.text, (column) => column.notNull())
          .addColumn('channel', types.text, (column) => column.notNull())
          .addColumn('data', types.text, (column) => column.notNull())
          .addColumn('created_at', types.integer, (column) => column.notNull())
          .execute();
        await createTable('outbox_dead')
          .addColumn('seq', types.integer, (column) => column.primaryKey())
          .addColumn('id', types.text, (column) => column.notNull())
          .addColumn('channel', types.text, (column) => column.notNull())
          .addColumn('data', types.text, (column) => column.notNull())
          .addColumn('created_at', types.integer, (column) => column.notNull())
          .addColumn('died_at', types.integer, (column) => column.notNull())
          .addColumn('reason', types.text, (column) => column.notNull())
          .execute();
        await createTable('store_state')
          .addColumn('name', types.text, (column) => column.primaryKey())
          .addColumn('value', types.text, (column) => column.notNull())
          .execute();
      },
    },
  ],
};
