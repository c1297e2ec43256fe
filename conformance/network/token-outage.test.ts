import { createJwtVerifier } from '@holdfast/hub';
import { forgeToken } from '@holdfast/hub/testing';
import { expect, test, vi } from 'vitest';
import { startHub } from '../running-hub.ts';
import { expectReceived, patient } from './expect-received.ts';
import { TcpRelay } from './tcp-relay.ts';
import { channel, connectTwoClients } from './two-clients.ts';

const key = 'a secret of thirty-two bytes, or more';

test('a token that expires during an outage is replaced, and nothing is missed', async () => {
  await using running = await startHub({
    client: { insecure: false },
    tokens: createJwtVerifier({ hmacSecretKey: key }),
    channel: {
      withoutNamespace: {
        historySize: 100,
        historyTtlMs: 60_000,
        forceRecovery: true,
        allowSubscribeForClient: true,
      },
    },
  });
  await using relay = await TcpRelay.start(running.port);
  // Issued by a backend that is down together with the server.
  let isBackendUp = true;
  let issued = 0;
  let firstExpiry = 0;
  const getToken = async (): Promise<string> => {
    if (!isBackendUp) throw new Error('the backend is down');
    issued += 1;
    // The first ones expire soon, later ones do not.
    const exp = Math.floor(Date.now() / 1000) + (issued <= 2 ? 4 : 3_600);
    if (issued <= 2) firstExpiry = exp;
    return forgeToken({ claims: { sub: '42', exp }, key });
  };
  using clients = await connectTwoClients(relay.url, { getToken });
  await running.hub.publish(channel, 1);
  await expectReceived(clients, [1]);
  isBackendUp = false;
  relay.mode = 'down';
  await running.hub.publish(channel, 2);
  await vi.waitFor(() => expect(Date.now() / 1000).toBeGreaterThan(firstExpiry + 1), patient);
  const { stock, own } = clients;
  expect([stock.state, own.state.status]).toEqual([
    'connecting',
    expect.stringMatching(/waiting|connecting/),
  ]);
  // The network is back first: an expired token and a backend that issues none are no end.
  relay.mode = 'open';
  await vi.waitFor(() => {
    expect(running.hub.metrics.replyErrors.counts.get('109')).toBeGreaterThanOrEqual(2);
  }, patient);
  expect(own.state.status).not.toBe('refused');
  isBackendUp = true;
  await expectReceived(clients, [1, 2]);
  expect(clients.recovered).toEqual({ stock: [true], own: [true] });
  expect(running.hub.metrics.clients).toBe(2);
});
