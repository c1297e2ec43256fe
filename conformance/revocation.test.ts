import { createJwtVerifier, type HubOptions, MemoryRevocationStore } from '@holdfast/hub';
import { createMemoryNetwork, ManualClock } from '@holdfast/hub/testing';
import { type JWTPayload, SignJWT } from 'jose';
import { describe, expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { type RunningHub, startHub } from './running-hub.ts';

const secret = 'a secret of more than thirty-two bytes';
const never = { expireAt: 4_000_000_000 };

function sign(claims: JWTPayload): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
}

const withTokens: HubOptions = {
  tokens: createJwtVerifier({ hmacSecretKey: secret }),
  client: { insecure: false },
};

async function connectAs(running: RunningHub, claims: JWTPayload): Promise<RawSession> {
  return RawSession.connect(running.url, { token: await sign(claims) });
}

async function startNodes(count: number, options: HubOptions = withTokens) {
  const network = createMemoryNetwork();
  const nodes: RunningHub[] = [];
  const add = async (): Promise<RunningHub> => {
    const node = await startHub({ ...options, bus: network.addNode().bus });
    nodes.push(node);
    await vi.waitFor(() => {
      for (const { hub } of nodes) expect(hub.nodes()).toHaveLength(nodes.length);
    });
    return node;
  };
  for (let index = 0; index < count; index += 1) await add();
  return {
    nodes,
    add,
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node[Symbol.asyncDispose]();
    },
  };
}

describe('blocking a user', () => {
  test('ends connections on all nodes at once and refuses new ones, others are left alone', async () => {
    // For them no time passes at all: nothing is left to the next look at anything.
    await using cluster = await startNodes(2, { ...withTokens, clock: new ManualClock() });
    const [one, two] = cluster.nodes as [RunningHub, RunningHub];
    await using here = await connectAs(one, { sub: 'ann' });
    await using there = await connectAs(two, { sub: 'ann' });
    await using bob = await connectAs(two, { sub: 'bob' });
    await one.hub.blockUser('ann');
    for (const session of [here, there]) {
      expect(await session.waitForClose()).toEqual({ code: 3507, reason: 'permission denied' });
    }
    for (const node of cluster.nodes) {
      await using again = await RawSession.open(node.url);
      again.send({ id: 1, connect: { token: await sign({ sub: 'ann' }) } });
      expect(await again.waitForClose()).toMatchObject({ code: 3507 });
    }
    expect(bob.closed).toBeUndefined();
    expect(two.hub.metrics.revokedConnections.counts.get('blocked')).toBe(2);
  });

  test('also whoever comes without a token', async () => {
    await using running = await startHub();
    running.hub.on('connecting', () => ({ user: 'ann' }));
    await running.hub.blockUser('ann');
    await using session = await RawSession.open(running.url);
    session.send({ id: 1, connect: {} });
    expect(await session.waitForClose()).toMatchObject({ code: 3507 });
  });

  test('can be undone, from any node', async () => {
    await using cluster = await startNodes(2);
    const [one, two] = cluster.nodes as [RunningHub, RunningHub];
    await one.hub.blockUser('ann');
    await two.hub.unblockUser('ann');
    await two.hub.unblockUser('nobody');
    await using session = await connectAs(one, { sub: 'ann' });
    expect(session.replies[0]?.connect).toBeDefined();
  });

  test('ends by itself', async () => {
    await using running = await startHub(withTokens);
    await running.hub.blockUser('ann', { expireAt: Math.floor(Date.now() / 1000) });
    await using session = await connectAs(running, { sub: 'ann' });
    expect(session.replies[0]?.connect).toBeDefined();
  });

  test('reaches nodes that come later, and a hub that starts again on the same store', async () => {
    const revocations = new MemoryRevocationStore();
    await using cluster = await startNodes(1);
    await cluster.nodes[0]?.hub.blockUser('ann');
    const late = await cluster.add();
    await vi.waitFor(() => expect(late.hub.metrics.revocations).toBe(1));
    await using first = await startHub({ ...withTokens, revocations });
    await first.hub.blockUser('ann');
    await first.hub.shutdown();
    await using second = await startHub({ ...withTokens, revocations });
    for (const node of [late, second]) {
      await using session = await RawSession.open(node.url);
      session.send({ id: 1, connect: { token: await sign({ sub: 'ann' }) } });
      expect(await session.waitForClose()).toMatchObject({ code: 3507 });
    }
  });

  test('a node that was away and comes back learns of it, and ends what it should', async () => {
    const clock = new ManualClock(Date.now());
    const network = createMemoryNetwork();
    const { bus, link } = network.addNode();
    await using one = await startHub({ ...withTokens, clock, bus: network.addNode().bus });
    await using other = await startHub({ ...withTokens, clock, bus });
    await vi.waitFor(() => expect(other.hub.nodes()).toHaveLength(2));
    await using session = await connectAs(other, { sub: 'ann' });
    link.drop();
    const blocked = one.hub.blockUser('ann');
    await Promise.resolve();
    clock.advance(3_000);
    await expect(blocked).rejects.toThrow('1 of 2 nodes did not confirm');
    clock.advance(7_000);
    expect(other.hub.nodes()).toHaveLength(1);
    expect(session.closed).toBeUndefined();
    link.restore();
    clock.advance(3_000);
    expect(await session.waitForClose()).toMatchObject({ code: 3507 });
  });

  test('is refused for nobody, impossible times and too long names', async () => {
    await using running = await startHub(withTokens);
    const { hub } = running;
    await expect(hub.blockUser('')).rejects.toMatchObject({ code: 107 });
    await expect(hub.blockUser('x'.repeat(1_025))).rejects.toMatchObject({ code: 107 });
    await expect(hub.blockUser('ann', { expireAt: -1 })).rejects.toMatchObject({ code: 107 });
    await expect(hub.blockUser('ann', { expireAt: 1.5 })).rejects.toMatchObject({ code: 107 });
    await expect(hub.revokeToken('t', 0)).rejects.toMatchObject({ code: 107 });
    await expect(hub.invalidateUserTokens('u', { expireAt: 0 })).rejects.toMatchObject({
      code: 107,
    });
  });

  test('is refused when there are too many; those that are there stay', async () => {
    const client = { insecure: false, revocationLimit: 2 };
    await using running = await startHub({ ...withTokens, client });
    const { hub } = running;
    await hub.blockUser('ann');
    await hub.blockUser('bob');
    await expect(hub.blockUser('cem')).rejects.toMatchObject({ code: 106 });
    await hub.blockUser('ann', never);
    await hub.unblockUser('bob');
    await using session = await RawSession.open(running.url);
    session.send({ id: 1, connect: { token: await sign({ sub: 'ann' }) } });
    expect(await session.waitForClose()).toMatchObject({ code: 3507 });
  });
});

describe('revoking a token', () => {
  test('ends its connections for good and refuses it; other tokens of the user stay', async () => {
    await using cluster = await startNodes(2);
    const [one, two] = cluster.nodes as [RunningHub, RunningHub];
    await using revoked = await connectAs(two, { sub: 'ann', jti: 't1' });
    await using other = await connectAs(two, { sub: 'ann', jti: 't2' });
    await one.hub.revokeToken('t1', never.expireAt);
    expect(await revoked.waitForClose()).toEqual({ code: 3500, reason: 'invalid token' });
    await using again = await RawSession.open(two.url);
    again.send({ id: 1, connect: { token: await sign({ sub: 'ann', jti: 't1' }) } });
    expect(await again.waitForClose()).toMatchObject({ code: 3500 });
    expect(other.closed).toBeUndefined();
  });

  test('goes by the token that a connection was refreshed with', async () => {
    await using running = await startHub(withTokens);
    await using session = await connectAs(running, { sub: 'ann', jti: 'old' });
    const token = await sign({ sub: 'ann', jti: 'new' });
    await session.ask({ id: 2, refresh: { token } });
    await running.hub.revokeToken('old', never.expireAt);
    expect(session.closed).toBeUndefined();
    session.send({ id: 3, refresh: { token: await sign({ sub: 'ann', jti: 'old' }) } });
    expect(await session.waitForClose()).toMatchObject({ code: 3500 });
  });

  test('ends a subscription that was made with it, and refuses new ones', async () => {
    await using running = await startHub(withTokens);
    await using session = await connectAs(running, { sub: 'ann' });
    const token = await sign({ sub: 'ann', channel: '$news', jti: 's1' });
    const subscribe = { channel: '$news', token };
    expect(await session.ask({ id: 2, subscribe })).toMatchObject({ subscribe: {} });
    await running.hub.revokeToken('s1', never.expireAt);
    const push = await session.wait(({ push: sent }) => sent?.unsubscribe !== undefined);
    expect(push).toMatchObject({ push: { channel: '$news', unsubscribe: { code: 2000 } } });
    expect(await session.ask({ id: 3, subscribe })).toMatchObject({ error: { code: 103 } });
    expect(session.closed).toBeUndefined();
  });
});

describe('invalidating the tokens of a user', () => {
  const issuedBefore = 1_700_000_000;

  test('ends what came with older ones, and with those that do not say', async () => {
    await using running = await startHub(withTokens);
    await using old = await connectAs(running, { sub: 'ann', iat: issuedBefore - 1 });
    await using silent = await connectAs(running, { sub: 'ann' });
    await using fresh = await connectAs(running, { sub: 'ann', iat: issuedBefore });
    await using bob = await connectAs(running, { sub: 'bob', iat: issuedBefore - 1 });
    await running.hub.invalidateUserTokens('ann', { issuedBefore, ...never });
    expect(await old.waitForClose()).toMatchObject({ code: 3500 });
    expect(await silent.waitForClose()).toMatchObject({ code: 3500 });
    expect([fresh.closed, bob.closed]).toEqual([undefined, undefined]);
    await using again = await connectAs(running, { sub: 'ann', iat: issuedBefore });
    expect(again.replies[0]?.connect).toBeDefined();
  });

  test('means now when it does not say', async () => {
    await using running = await startHub(withTokens);
    const now = Math.floor(Date.now() / 1000);
    await using old = await connectAs(running, { sub: 'ann', iat: now - 10 });
    await using fresh = await connectAs(running, { sub: 'ann', iat: now + 60 });
    await running.hub.invalidateUserTokens('ann', never);
    expect(await old.waitForClose()).toMatchObject({ code: 3500 });
    expect(fresh.closed).toBeUndefined();
  });

  test('ends subscriptions with older tokens on connections with newer ones', async () => {
    await using running = await startHub(withTokens);
    await using session = await connectAs(running, { sub: 'ann', iat: issuedBefore });
    const token = await sign({ sub: 'ann', channel: '$news', iat: issuedBefore - 1 });
    await session.ask({ id: 2, subscribe: { channel: '$news', token } });
    await running.hub.invalidateUserTokens('ann', { issuedBefore, ...never });
    await session.wait(({ push }) => push?.unsubscribe?.code === 2000);
    expect(session.closed).toBeUndefined();
  });
});
