/**
 * The whole of a shared worker that holds the connection of all tabs. Its name, which
 * `createSharedClient` gives it, says which connection that is.
 *
 * @module
 */
import { Switchboard } from './switchboard.ts';
import { holdLock, platformLocks } from './web-locks.ts';

const { name } = globalThis as unknown as { readonly name: string };
const locks = platformLocks();
// Without locks no tab waits for this worker: each has its own connection.
if (locks !== undefined) {
  const lead = (): void => {
    holdLock(locks, name, {
      onHeld: () => {
        const switchboard = new Switchboard({ name, locks });
        return () => switchboard.close();
      },
      onLost: lead,
    });
  };
  lead();
}
