import { createJwtVerifier, type HubOptions } from '@holdfast/hub';
import { ManualClock } from '@holdfast/hub/testing';
import { type Centrifuge, UnauthorizedError } from 'centrifuge';
import { type JWTPayload, SignJWT } from 'jose';
import { describe, expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { startHub } from './running-hub.ts';

const secret = 'a secret of more than thirty-two bytes';

/**
 * Of hubs and tokens: nothing expires before a test lets time go on, by whole seconds, as tokens have
 * them. Clients have the real time.
 */
const clock = new ManualClock();

function sign(claims: JWTPayload, key = secret): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(key));
}

function inSeconds(seconds: number): number {
  return clock.now() / 1000 + seconds;
}

/** Resolves when the server has done what the client asked of it before. */
async function roundTrip(client: Centrifuge): Promise<void> {
  await client.presence('news');
}

const withTokens: HubOptions = {
  clock,
  tokens: createJwtVerifier({ hmacSecretKey: secret, clock }),
  client: { insecure: false, expiredCloseDelayMs: 1_500, expiredSubCloseDelayMs: 1_500 },
  channel: {
    withoutNamespace: {
      presence: true,
      allowPresenceForClient: true,
      historySize: 10,
      historyTtlMs: 60_000,
      forceRecovery: true,
    },
  },
};

describe('connection tokens', () => {
  test('say who the client is, what others see of it, and where it is subscribed', async () => {
    await using running = await startHub(withTokens);
    const client = running.client({
      token: await sign({ sub: 'ann', info: { name: 'Ann' }, channels: ['news'] }),
    });
    const received: unknown[] = [];
    client.on('publication', ({ channel, data }) => received.push([channel, data]));
    client.connect();
    await client.ready(60_000);
    const [present] = [...(await running.hub.presence('news')).values()];
    expect(present?.user).toBe('ann');
    expect(Buffer.from(present?.conn_info ?? []).toString()).toBe('{"name":"Ann"}');
    await running.hub.publish('news', 1);
    await vi.waitFor(() => expect(received).toEqual([['news', 1]]));
  });

  test('a wrong signature ends the connection for good', async () => {
    await using running = await startHub(withTokens);
    const client = running.client({ token: await sign({ sub: 'ann' }, 'x'.repeat(40)) });
    const ends: number[] = [];
    client.on('disconnected', ({ code }) => ends.push(code));
    client.connect();
    await vi.waitFor(() => expect(ends).toEqual([3500]));
  });

  test('an expired token makes the client fetch a fresh one', async () => {
    await using running = await startHub(withTokens);
    const getToken = vi.fn<() => Promise<string>>(async () =>
      sign({ sub: 'ann', exp: inSeconds(60) }),
    );
    const client = running.client({
      token: await sign({ sub: 'ann', exp: inSeconds(-60) }),
      getToken,
    });
    client.connect();
    await client.ready(60_000);
    expect(getToken).toHaveBeenCalledTimes(1);
  });

  test('a connection is refreshed before it expires', async () => {
    await using running = await startHub(withTokens);
    let issued = 0;
    const getToken = vi.fn<() => Promise<string>>(async () => {
      issued += 1;
      return sign({ sub: 'ann', exp: inSeconds(issued === 1 ? 1 : 60) });
    });
    const client = running.client({ getToken });
    const ends: unknown[] = [];
    client.on('disconnected', (event) => ends.push(event));
    client.on('connecting', ({ code }) => ends.push(code));
    client.connect();
    await client.ready(60_000);
    await vi.waitFor(() => expect(getToken).toHaveBeenCalledTimes(2));
    await roundTrip(client);
    // Beyond the first token and the grace that it has.
    clock.advance(5_000);
    await roundTrip(client);
    expect(ends).toEqual([0]);
  });

  test('a connection that is not refreshed ends after its grace', async () => {
    await using running = await startHub({
      ...withTokens,
      client: { ...withTokens.client, expiredCloseDelayMs: 100 },
    });
    const token = await sign({ sub: 'ann', exp: inSeconds(2) });
    await using session = await RawSession.connect(running.url, { token });
    expect(session.replies[0]?.connect).toMatchObject({ expires: true, ttl: 2 });
    clock.advance(2_000);
    await session.ask({ id: 2, presence: { channel: 'news' } });
    clock.advance(1_000);
    expect(await session.waitForClose()).toEqual({ code: 3005, reason: 'connection expired' });
  });

  test('a token of another user cannot refresh a connection', async () => {
    await using running = await startHub(withTokens);
    const users = ['ann', 'bob'];
    const client = running.client({
      getToken: async () => sign({ sub: users.shift() ?? 'bob', exp: inSeconds(1) }),
    });
    const ends: number[] = [];
    client.on('disconnected', ({ code }) => ends.push(code));
    client.connect();
    await vi.waitFor(() => expect(ends).toEqual([3500]), { timeout: 60_000 });
  });

  test('other subscriptions in the new token make the client connect anew', async () => {
    await using running = await startHub(withTokens);
    const channels = [['a'], ['a', 'b']];
    const client = running.client({
      getToken: async () =>
        sign({
          sub: 'ann',
          exp: inSeconds(channels.length > 1 ? 1 : 60),
          channels: channels.shift() ?? ['a', 'b'],
        }),
    });
    const connecting: number[] = [];
    client.on('connecting', ({ code }) => connecting.push(code));
    client.connect();
    await vi.waitFor(() => expect(connecting).toContain(3010), { timeout: 60_000 });
    await vi.waitFor(async () => expect((await running.hub.presence('b')).size).toBe(1));
  });

  test('who has no token is refused', async () => {
    await using running = await startHub(withTokens);
    const client = running.client();
    const ends: number[] = [];
    client.on('disconnected', ({ code }) => ends.push(code));
    client.connect();
    await vi.waitFor(() => expect(ends).toEqual([3501]));
  });
});

describe('subscription tokens', () => {
  async function connected(running: Awaited<ReturnType<typeof startHub>>) {
    const client = running.client({ token: await sign({ sub: 'ann' }) });
    client.connect();
    await client.ready(60_000);
    return client;
  }

  test('open a private channel', async () => {
    await using running = await startHub(withTokens);
    const client = await connected(running);
    const subscription = client.newSubscription('$secret', {
      getToken: async ({ channel }) => sign({ sub: 'ann', channel, info: { seat: 4 } }),
    });
    subscription.subscribe();
    await subscription.ready(60_000);
    const [present] = [...(await running.hub.presence('$secret')).values()];
    expect(Buffer.from(present?.chan_info ?? []).toString()).toBe('{"seat":4}');
  });

  test('without one a private channel stays closed', async () => {
    await using running = await startHub(withTokens);
    const client = await connected(running);
    const subscription = client.newSubscription('$secret');
    const ends: number[] = [];
    subscription.on('unsubscribed', ({ code }) => ends.push(code));
    subscription.subscribe();
    await vi.waitFor(() => expect(ends).toEqual([103]));
    expect(client.state).toBe('connected');
  });

  test.each([
    ['another channel', { sub: 'ann', channel: 'other' }],
    ['another user', { sub: 'bob', channel: '$secret' }],
    ['another client', { sub: 'ann', channel: '$secret', client: 'somebody' }],
  ])('a token for %s ends the connection', async (_, claims) => {
    await using running = await startHub(withTokens);
    const client = await connected(running);
    const ends: number[] = [];
    client.on('disconnected', ({ code }) => ends.push(code));
    const subscription = client.newSubscription('$secret', { token: await sign(claims) });
    subscription.subscribe();
    await vi.waitFor(() => expect(ends).toEqual([3500]));
  });

  test('a wrong signature costs the subscription only', async () => {
    await using running = await startHub(withTokens);
    const client = await connected(running);
    const subscription = client.newSubscription('$secret', {
      token: await sign({ sub: 'ann', channel: '$secret' }, 'y'.repeat(40)),
    });
    const ends: number[] = [];
    subscription.on('unsubscribed', ({ code }) => ends.push(code));
    subscription.subscribe();
    await vi.waitFor(() => expect(ends).toEqual([103]));
    expect(client.state).toBe('connected');
  });

  test('an expired one is replaced, and a subscription is refreshed before it expires', async () => {
    await using running = await startHub(withTokens);
    const client = await connected(running);
    const lifetimes = [-5, 1, 60];
    const getToken = vi.fn<(context: { channel: string }) => Promise<string>>(async ({ channel }) =>
      sign({ sub: 'ann', channel, exp: inSeconds(lifetimes.shift() ?? 60) }),
    );
    const subscription = client.newSubscription('$secret', { getToken, minResubscribeDelay: 10 });
    const ends: number[] = [];
    subscription.on('unsubscribed', ({ code }) => ends.push(code));
    subscription.on('error', () => {});
    subscription.subscribe();
    await subscription.ready(60_000);
    await vi.waitFor(() => expect(getToken).toHaveBeenCalledTimes(3));
    await roundTrip(client);
    clock.advance(5_000);
    await roundTrip(client);
    expect(ends).toEqual([]);
    expect(subscription.state).toBe('subscribed');
  });

  test('a subscription that is not refreshed ends after its grace', async () => {
    await using running = await startHub({
      ...withTokens,
      client: { ...withTokens.client, expiredSubCloseDelayMs: 100 },
    });
    const token = await sign({ sub: 'ann' });
    await using session = await RawSession.connect(running.url, { token });
    const channel = '$secret';
    const reply = await session.ask({
      id: 2,
      subscribe: { channel, token: await sign({ sub: 'ann', channel, exp: inSeconds(2) }) },
    });
    expect(reply.subscribe).toMatchObject({ expires: true, ttl: 2 });
    clock.advance(2_000);
    await session.ask({ id: 3, presence: { channel: 'news' } });
    expect(session.replies.filter(({ push }) => push?.unsubscribe !== undefined)).toEqual([]);
    clock.advance(1_000);
    expect(await session.wait(({ push }) => push?.unsubscribe !== undefined)).toEqual({
      push: { channel, unsubscribe: { code: 2501, reason: 'expired' } },
    });
  });

  test('a client that may not have a token gives up', async () => {
    await using running = await startHub(withTokens);
    const client = await connected(running);
    const subscription = client.newSubscription('$secret', {
      getToken: async () => {
        throw new UnauthorizedError('no');
      },
    });
    const ends: number[] = [];
    subscription.on('unsubscribed', ({ code }) => ends.push(code));
    subscription.subscribe();
    await vi.waitFor(() => expect(ends).toEqual([1]));
  });
});

test('in insecure mode a token is checked, but the connection never expires', async () => {
  await using running = await startHub({
    ...withTokens,
    client: { ...withTokens.client, insecure: true },
  });
  const client = running.client({ token: await sign({ sub: 'ann', exp: inSeconds(1) }) });
  const ends: unknown[] = [];
  client.on('disconnected', (event) => ends.push(event));
  client.connect();
  await client.ready(60_000);
  clock.advance(5_000);
  await roundTrip(client);
  expect(ends).toEqual([]);
  expect(client.state).toBe('connected');
  const liar = running.client({ token: await sign({ sub: 'ann' }, 'z'.repeat(40)) });
  liar.on('disconnected', ({ code }) => ends.push(code));
  liar.connect();
  await vi.waitFor(() => expect(ends).toEqual([3500]));
});
