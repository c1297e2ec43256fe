import { ReplyError } from '@holdfast/protocol';
import { createMemoryNetwork, ManualClock } from '@holdfast/hub/testing';
import { expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { type RunningHub, startHub } from './running-hub.ts';

/** Two nodes that know each other, and users that are named by their clients. */
async function startTwoNodes(clock = new ManualClock()) {
  const network = createMemoryNetwork({ clock });
  const start = async (): Promise<RunningHub> => {
    const { bus } = network.addNode();
    const running = await startHub({ bus, clock });
    running.hub.on('connecting', ({ name }) => ({ user: name }));
    return running;
  };
  const nodes = [await start(), await start()] as const;
  await vi.waitFor(() => {
    for (const { hub } of nodes) expect(hub.nodes()).toHaveLength(2);
  });
  return {
    nodes,
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]();
    },
  };
}

test('connections of all nodes are listed page by page, each once', async () => {
  await using cluster = await startTwoNodes();
  const [one, two] = cluster.nodes;
  await using sessions = new AsyncDisposableStack();
  for (let index = 0; index < 25; index += 1) {
    const { url } = index % 3 === 0 ? one : two;
    sessions.use(await RawSession.connect(url, { name: `u${index % 5}`, version: '1' }));
  }
  for (const limit of [1, 2, 7, 24, 25, 26]) {
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await one.hub.connections({
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      expect(page.connections.length).toBeLessThanOrEqual(limit);
      seen.push(...page.connections.map(({ client }) => client));
      cursor = page.cursor;
      pages += 1;
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(25);
    expect(seen).toHaveLength(25);
    expect(pages).toBe(Math.ceil(25 / limit));
  }
  const { connections } = await two.hub.connections({ user: 'u3' });
  expect(connections.map(({ user }) => user)).toEqual(['u3', 'u3', 'u3', 'u3', 'u3']);
  expect(new Set(connections.map(({ node }) => node))).toEqual(
    new Set([one.hub.nodeId, two.hub.nodeId]),
  );
  expect(await two.hub.connections({ user: 'nobody' })).toEqual({ connections: [] });
});

test('a connection is described as the server knows it', async () => {
  const clock = new ManualClock(5_000);
  await using running = await startHub({ clock });
  await using session = await RawSession.connect(running.url, { name: 'app', version: '1.2' });
  await session.ask({ id: 2, subscribe: { channel: 'news' } });
  const { connections } = await running.hub.connections({ user: '' });
  expect(connections).toEqual([
    {
      client: session.replies[0]?.connect?.client,
      user: '',
      node: running.hub.nodeId,
      transport: 'websocket',
      format: 'json',
      remoteAddress: '127.0.0.1',
      name: 'app',
      version: '1.2',
      connectedAt: 5_000,
      numSubscriptions: 1,
    },
  ]);
});

test.each([0, -1, 1.5, 1_001])('a page of %s connections is refused', async (limit) => {
  await using running = await startHub();
  await expect(running.hub.connections({ limit })).rejects.toThrow(ReplyError);
});

test('who is online on any node, and when the others left', async () => {
  const clock = new ManualClock(1_000);
  await using cluster = await startTwoNodes(clock);
  const [one, two] = cluster.nodes;
  await using ann = await RawSession.connect(one.url, { name: 'ann' });
  await using bob = await RawSession.connect(one.url, { name: 'bob' });
  await using bobElsewhere = await RawSession.connect(two.url, { name: 'bob' });
  await ann[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
  await vi.waitFor(() => expect(one.hub.metrics.clients).toBe(0));
  clock.advance(200);
  const asked = await one.hub.online(['ann', 'bob', 'cem']);
  expect([...asked]).toEqual([
    ['ann', { isOnline: false, lastSeenAt: 1_000 }],
    ['bob', { isOnline: true, lastSeenAt: 1_200 }],
    ['cem', { isOnline: false }],
  ]);
  await bobElsewhere[Symbol.asyncDispose]();
  await vi.waitFor(() => expect(two.hub.metrics.clients).toBe(0));
  clock.advance(100);
  expect((await one.hub.online(['bob'])).get('bob')).toEqual({
    isOnline: false,
    lastSeenAt: 1_200,
  });
});

test('too many users are refused', async () => {
  await using running = await startHub();
  const users = Array.from({ length: 1_001 }, (_, index) => `u${index}`);
  await expect(running.hub.online(users)).rejects.toThrow(ReplyError);
});
