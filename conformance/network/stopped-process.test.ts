import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { startChild } from '../child.ts';
import { startHub } from '../running-hub.ts';
import { patient } from './expect-received.ts';
import { channel } from './two-clients.ts';

const script = path.resolve(import.meta.dirname, 'stopped-process-client.ts');

test('a machine that sleeps beyond the pings wakes up to what it missed', async () => {
  await using running = await startHub({
    client: { pingIntervalMs: 1_000, pongTimeoutMs: 500 },
    channel: {
      withoutNamespace: { historySize: 100, historyTtlMs: 60_000, forceRecovery: true },
    },
  });
  const { hub, port } = running;
  const child = startChild(script, [`http://127.0.0.1:${port}`]);
  const printedBy = (name: string): readonly string[] =>
    child.lines.filter((line) => line.startsWith(name));
  try {
    await child.waitFor(/ready/);
    await hub.publish(channel, 1);
    await vi.waitFor(() => expect(child.lines).toHaveLength(3), patient);
    // Stopped, it keeps its sockets and answers nothing, as a laptop that was closed.
    child.process.kill('SIGSTOP');
    await vi.waitFor(() => expect(hub.metrics.clients).toBe(0), patient);
    await vi.waitFor(() => expect(hub.metrics.connections).toBe(0), patient);
    for (const number of [2, 3]) await hub.publish(channel, number);
    child.process.kill('SIGCONT');
    await vi.waitFor(() => expect(child.lines).toHaveLength(7), patient);
    await hub.publish(channel, 4);
    await vi.waitFor(() => expect(child.lines).toHaveLength(9), patient);
    expect(printedBy('stock')).toEqual([1, 2, 3, 4].map((number) => `stock ${number}`));
    expect(printedBy('own')).toEqual([1, 2, 3, 4].map((number) => `own ${number}`));
    expect(hub.metrics.connections).toBe(2);
  } finally {
    await child.kill();
  }
});
