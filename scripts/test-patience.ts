import { vi } from 'vitest';

/**
 * How long tests wait for what must come, unless they say otherwise. It ends tests in which something is
 * stuck, and says nothing of speed: the machine may be ten times slower than when it is quiet.
 */
const patienceMs = 60_000;

const { waitFor } = vi;

// Vitest's own default is one second, which a busy machine takes to send a message over a socket.
vi.waitFor = (check, options = {}) =>
  waitFor(
    check,
    typeof options === 'number' ? options : { ...options, timeout: options.timeout ?? patienceMs },
  );
