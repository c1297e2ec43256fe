import { createMemoryNetwork } from '@holdfast/hub/testing';
import { expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { startHub } from './running-hub.ts';

function published(session: RawSession): readonly (string | undefined)[] {
  return session.replies.flatMap(({ push }) => (push?.pub === undefined ? [] : [push.channel]));
}

test('a pattern reaches the channels that match and have subscribers, on any node', async () => {
  const network = createMemoryNetwork();
  const start = () => {
    const { bus, broker } = network.addNode();
    const namespaces = [{ name: 'chat' }, { name: 'map', subscriptionType: 'map' as const }];
    return startHub({ bus, broker, channel: { namespaces } });
  };
  await using one = await start();
  await using two = await start();
  await vi.waitFor(() => expect(one.hub.nodes()).toHaveLength(2));
  await using here = await RawSession.connect(one.url);
  await using there = await RawSession.connect(two.url);
  await here.ask({ id: 2, subscribe: { channel: 'chat:a' } });
  await here.ask({ id: 3, subscribe: { channel: 'news' } });
  await there.ask({ id: 2, subscribe: { channel: 'chat:b' } });
  await there.ask({ id: 3, subscribe: { channel: 'map:b', type: 1 } });
  const results = await one.hub.publishToPattern('chat:*', { hello: 1 });
  expect([...results.keys()].toSorted()).toEqual(['chat:a', 'chat:b']);
  await vi.waitFor(() => expect(published(here)).toEqual(['chat:a']));
  await vi.waitFor(() => expect(published(there)).toEqual(['chat:b']));
  expect((await one.hub.publishToPattern('map:*', 1)).size).toBe(0);
  expect((await one.hub.publishToPattern('nobody:*', 1)).size).toBe(0);
  await expect(one.hub.publishToPattern('', 1)).rejects.toMatchObject({ code: 107 });
});

test('a message to all reaches every connection of every node, subscribed or not', async () => {
  const network = createMemoryNetwork();
  await using one = await startHub({ bus: network.addNode().bus });
  await using two = await startHub({ bus: network.addNode().bus });
  await vi.waitFor(() => expect(one.hub.nodes()).toHaveLength(2));
  const client = one.client();
  const messages: unknown[] = [];
  client.on('message', ({ data }) => messages.push(data));
  client.connect();
  await client.ready(60_000);
  await using raw = await RawSession.connect(two.url);
  await using notYet = await RawSession.open(two.url);
  expect(await one.hub.messageToAll({ maintenance: 'at noon' })).toBe(2);
  await vi.waitFor(() => expect(messages).toEqual([{ maintenance: 'at noon' }]));
  await raw.wait(({ push }) => push?.message !== undefined);
  expect(notYet.replies).toEqual([]);
});

test('a message to one connection reaches that one, and only on its node', async () => {
  await using running = await startHub();
  const [one, other] = [running.client(), running.client()];
  const messages: unknown[] = [];
  one.on('message', ({ data }) => messages.push(['one', data]));
  other.on('message', ({ data }) => messages.push(['other', data]));
  const connected = new Promise<string>((resolve) =>
    one.on('connected', ({ client }) => resolve(client)),
  );
  one.connect();
  other.connect();
  await other.ready(60_000);
  expect(running.hub.message(await connected, { hello: 1 })).toBe(true);
  expect(running.hub.message('nobody', { hello: 1 })).toBe(false);
  expect(() => running.hub.message('nobody', Buffer.from('{'))).toThrow(/bad request/);
  await running.hub.messageToAll('last');
  await vi.waitFor(() => expect(messages).toHaveLength(3));
  expect(messages).toEqual(
    expect.arrayContaining([
      ['one', { hello: 1 }],
      ['one', 'last'],
      ['other', 'last'],
    ]),
  );
});

test('what would end the connections of JSON clients, or is too long, is refused', async () => {
  await using running = await startHub();
  await using session = await RawSession.connect(running.url);
  for (const data of [new Uint8Array([255]), Buffer.from('{'), 'x'.repeat(65_536)]) {
    await expect(running.hub.messageToAll(data)).rejects.toMatchObject({ code: 107 });
  }
  expect(session.closed).toBeUndefined();
});
