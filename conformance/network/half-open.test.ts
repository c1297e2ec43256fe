import { describe, expect, test, vi } from 'vitest';
import { expectReceived, patient } from './expect-received.ts';
import { halfOpenPaths } from './half-open-path.ts';
import { connectTwoClients } from './two-clients.ts';

describe('TCP that goes half-open: both ends notice, and nothing is missed', () => {
  test.concurrent.for(halfOpenPaths)('$name', async ({ start }) => {
    await using path = await start();
    const { server, url, webSocket } = path;
    using clients = await connectTwoClients(url, { webSocket });
    const { stock, own } = clients;
    await server.publish(1);
    await expectReceived(clients, [1]);
    path.swallow(true);
    await server.publish(2);
    // The clients by the ping that does not come, the server by the pong, and then it lets go of the
    // sockets too, although nobody answers its farewell.
    await vi.waitFor(() => {
      expect([stock.state, own.state.status]).toEqual([
        'connecting',
        expect.stringMatching(/waiting|connecting/),
      ]);
    }, patient);
    expect(own.state.missedPings).toBeGreaterThan(0);
    expect(own.state.lastClose?.reason).toMatch(/\w+ \w+/);
    for (const gauge of ['holdfast_clients', 'holdfast_connections']) {
      await vi.waitFor(async () => expect(await server.metric(gauge)).toBe(0), patient);
    }
    await server.publish(3);
    path.swallow(false);
    await expectReceived(clients, [1, 2, 3]);
    expect(clients.recovered).toEqual({ stock: [true], own: [true] });
    await server.publish(4);
    await expectReceived(clients, [1, 2, 3, 4]);
    expect(await server.metric('holdfast_connections')).toBe(2);
  });
});
