import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below those that systems give to whoever asks for any (Linux from 32768, others from 49152): else an
 * outgoing connection, or a server on port 0, takes the port before the one for whom it was looked up.
 */
const range = { first: 20_000, count: 12_000 };

/**
 * A port of 127.0.0.1 that nobody has, for a program that cannot choose one by itself and say which, or
 * that comes back on the same. Whatever can listens on port 0.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = range.first + Math.floor(Math.random() * range.count);
    const probe = createServer();
    try {
      await once(probe.listen(port, '127.0.0.1'), 'listening');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
      throw error;
    }
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
