import { expect, onTestFinished, test, vi } from 'vitest';
import { createClient } from '@holdfast/client';
import { RawSession } from '../raw-session.ts';
import { startHub } from '../running-hub.ts';

const patient = { timeout: 60_000, interval: 20 };

test('a busy server is left alone for as long as it asks, over the transport that works', async () => {
  await using running = await startHub({ admission: { concurrency: 1, queueSize: 0 } });
  const { promise, resolve } = Promise.withResolvers<void>();
  running.hub.on('connecting', async () => {
    await promise;
    return { user: 'ann' };
  });
  await using first = await RawSession.open(running.url);
  first.send({ id: 1, connect: {} });
  await vi.waitFor(() => expect(running.hub.metrics.handshakesUnderWay).toBe(1), patient);

  const client = createClient({
    url: running.at(''),
    backoff: { minDelayMs: 10, maxDelayMs: 20, stableMs: 10_000 },
  });
  onTestFinished(() => client.close());
  const askedAt = Date.now();
  client.connect();
  await vi.waitFor(() => expect(client.state.nextRetryAt).toBeDefined(), patient);
  expect(client.state.nextRetryAt! - askedAt).toBeGreaterThanOrEqual(1_000);
  expect(client.state).toMatchObject({
    status: 'waiting',
    attempts: 1,
    lastClose: { code: 111 },
  });
  resolve();
  await vi.waitFor(() => expect(client.state.status).toBe('connected'), patient);
  expect(client.state.transport).toBe('websocket');
  expect(running.hub.metrics.connectionsOpened.counts.get('http_stream') ?? 0).toBe(0);
});
