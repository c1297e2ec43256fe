import type { Engine } from './engine.ts';
import { migrationLock, type StoreModule } from './migrations.ts';
import { openSession } from './session.ts';

/**
 * Has the modules begin anew where the database may be an older state of itself: once, in one
 * transaction, before anything else is done with it.
 * @returns why it may be one; undefined when it is not
 */
export function recoverFromSetback(
  engine: Engine,
  modules: readonly StoreModule[],
): Promise<string | undefined> {
  return engine.write(
    async (connection) => {
      await engine.lock(connection, [migrationLock]);
      const setback = await engine.findSetback(connection);
      if (setback !== undefined) {
        const db = openSession<unknown>(engine, connection);
        for (const module of modules) await module.beginAnew?.(db);
      }
      await engine.endSetback(connection);
      return setback;
    },
    { timeoutMs: 0 },
  );
}
