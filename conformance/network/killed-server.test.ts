import { expect, test, vi } from 'vitest';
import { expectReceived, patient } from './expect-received.ts';
import { RestartableServer } from './restartable-server.ts';
import { connectTwoClients } from './two-clients.ts';

test('a server that is killed and started again: clients are back by themselves, and told of what is lost', async () => {
  await using server = await RestartableServer.start();
  using clients = await connectTwoClients(server.url);
  const { stock, own } = clients;
  await server.publish(1);
  await expectReceived(clients, [1]);
  await server.kill();
  await vi.waitFor(() => {
    expect([stock.state, own.state.attempts > 1]).toEqual(['connecting', true]);
  }, patient);
  expect(own.state.lastClose).toMatchObject({ code: 1006, reason: expect.stringMatching(/\w \w/) });
  await server.restart();
  // Its history was in its memory: nobody is told that nothing was missed.
  await vi.waitFor(() => {
    expect(clients.recovered).toEqual({ stock: [false], own: [false] });
  }, patient);
  await server.publish(2);
  await expectReceived(clients, [1, 2]);
  expect(await server.metric('holdfast_connections')).toBe(2);
});
