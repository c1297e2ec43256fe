import { Centrifuge } from 'centrifuge';
import { expect, onTestFinished, test } from 'vitest';
import { startTestServer, type StartedServer } from '../testing/started-server.ts';
import { createToken } from '../tokens/create-token.ts';

const secret = 'a secret of more than thirty-two bytes';
const sections = { client: { token: { hmac_secret_key: secret } } };
const later = 4_000_000_000;

/** A stock client of a user, connected, and the codes that it was disconnected with. */
async function connect(server: StartedServer, user: string) {
  const token = await createToken({ user, secret });
  const client = new Centrifuge(server.websocketUrl, { token, name: 'shop', version: '7' });
  onTestFinished(() => client.disconnect());
  const ends: number[] = [];
  client.on('disconnected', ({ code }) => ends.push(code));
  client.connect();
  return { client, ends };
}

test('connections and online tell who is there', async () => {
  await using server = await startTestServer(sections);
  const { client } = await connect(server, 'ann');
  await client.ready(60_000);
  const { result } = await server.call('connections', { user: 'ann', limit: 1 });
  expect(result).toEqual({
    connections: [
      {
        client: expect.any(String),
        user: 'ann',
        node: server.running.hub.nodeId,
        transport: 'websocket',
        protocol: 'json',
        address: '127.0.0.1',
        app_name: 'shop',
        app_version: '7',
        connected_at: expect.any(Number),
        num_subscriptions: 0,
      },
    ],
  });
  expect(await server.call('connections', { user: '' })).toEqual({ result: { connections: [] } });
  expect(await server.call('online', { users: ['ann', 'bob'] })).toEqual({
    result: {
      users: { ann: { online: true, last_seen: expect.any(Number) }, bob: { online: false } },
    },
  });
});

test.each([
  ['connections', { limit: 0 }],
  ['connections', { limit: 1_001 }],
  ['online', {}],
  ['online', { users: Array.from({ length: 1_001 }, () => 'u') }],
  ['block_user', { user: '' }],
  ['block_user', { user: 'u', expire_at: -1 }],
  ['unblock_user', {}],
  ['revoke_token', { uid: 't' }],
  ['revoke_token', { uid: '', expire_at: later }],
  ['revoke_token', { uid: 't', expire_at: 0 }],
  ['invalidate_user_tokens', { user: 'u' }],
  ['invalidate_user_tokens', { user: 'u', expire_at: later, issued_before: 1.5 }],
])('%s refuses %j', async (method, params) => {
  await using server = await startTestServer(sections);
  expect(await server.call(method, params)).toMatchObject({ error: { code: 107 } });
});

test('a blocked user is out and stays out, until unblocked', async () => {
  await using server = await startTestServer(sections);
  const { client, ends } = await connect(server, 'ann');
  await client.ready(60_000);
  expect(await server.call('block_user', { user: 'ann' })).toEqual({ result: {} });
  await expect.poll(() => ends).toEqual([3507]);
  const { ends: refused } = await connect(server, 'ann');
  await expect.poll(() => refused).toEqual([3507]);
  await server.call('unblock_user', { user: 'ann' });
  client.connect();
  await client.ready(60_000);
});

test('tokens that were issued before are worth nothing any more', async () => {
  await using server = await startTestServer(sections);
  const { client, ends } = await connect(server, 'ann');
  await client.ready(60_000);
  const params = { user: 'ann', expire_at: later, issued_before: later };
  expect(await server.call('invalidate_user_tokens', params)).toEqual({ result: {} });
  await expect.poll(() => ends).toEqual([3500]);
});
