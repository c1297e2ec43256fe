import { defaultRateLimitOptions } from '@holdfast/hub';
import { ManualClock } from '@holdfast/hub/testing';
import type { Command } from '@holdfast/protocol';
import { describe, expect, test, vi } from 'vitest';
import { RawSession } from './raw-session.ts';
import { type RunningHub, startHub } from './running-hub.ts';

const data = Buffer.from('{}');

function commands(count: number, make: (index: number) => Command): Command[] {
  return Array.from({ length: count }, (_, index) => ({ id: index + 2, ...make(index) }));
}

const publish = (): Command => ({ publish: { channel: 'news', data } });
const history = (): Command => ({ presence_stats: { channel: 'news' } });

/** How the commands were answered, in order. */
async function outcomes(
  session: RawSession,
  sent: readonly Command[],
): Promise<readonly boolean[]> {
  session.send(...sent);
  const last = sent.at(-1)?.id;
  await session.wait(({ id }) => id === last);
  return sent.map(
    ({ id }) => session.replies.find((reply) => reply.id === id)?.error?.code !== 111,
  );
}

function startLimited(
  rateLimit: Partial<typeof defaultRateLimitOptions>,
  clock = new ManualClock(),
): Promise<RunningHub> {
  return startHub({
    clock,
    client: { channelLimit: 1, rateLimit: { ...defaultRateLimitOptions, ...rateLimit } },
  });
}

describe('by default', () => {
  test('a client may connect and subscribe to everything in one message, twice', async () => {
    await using running = await startHub({ clock: new ManualClock() });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await using session = await RawSession.open(running.url);
      const subscribes = commands(128, (index) => ({ subscribe: { channel: `c${index}` } }));
      session.send({ id: 1, connect: {} }, ...subscribes);
      await session.wait(({ id }) => id === 129);
      expect(session.replies.filter(({ error }) => error !== undefined)).toEqual([]);
      const unsubscribes = commands(128, (index) => ({ unsubscribe: { channel: `c${index}` } }));
      const again = commands(128, (index) => ({ subscribe: { channel: `c${index}` } }));
      session.replies.length = 0;
      expect(await outcomes(session, [...unsubscribes])).not.toContain(false);
      session.replies.length = 0;
      expect(await outcomes(session, [...again])).not.toContain(false);
    }
    expect(running.hub.metrics.rateLimited.counts.size).toBe(0);
  });

  test('a flood is answered with errors first and then ended', async () => {
    await using running = await startHub({ clock: new ManualClock() });
    await using session = await RawSession.connect(running.url);
    session.send(...commands(700, history));
    await session.wait(({ id }) => id === 701);
    // 512 in all, and connect was one of them.
    expect(session.replies.filter(({ error }) => error?.code === 111)).toHaveLength(189);
    expect(session.replies.find(({ error }) => error?.code === 111)?.error).toEqual({
      code: 111,
      message: 'too many requests',
      temporary: true,
    });
    for (let message = 0; message < 4; message += 1) session.send(...commands(500, history));
    expect(await session.waitForClose()).toEqual({ code: 3013, reason: 'too many requests' });
  });
});

describe('limits', () => {
  test('of a connection let through what time earns', async () => {
    const clock = new ManualClock();
    await using running = await startLimited({ commandsPerSecond: 10, commandBurst: 3 }, clock);
    await using session = await RawSession.connect(running.url);
    expect(await outcomes(session, commands(4, history))).toEqual([true, true, false, false]);
    clock.advance(200);
    session.replies.length = 0;
    expect(await outcomes(session, commands(3, history))).toEqual([true, true, false]);
    expect(running.hub.metrics.rateLimited.counts.get('connection')).toBe(3);
  });

  test('of a connection leave others alone', async () => {
    await using running = await startLimited({ commandsPerSecond: 10, commandBurst: 3 });
    await using fast = await RawSession.connect(running.url);
    await using slow = await RawSession.connect(running.url);
    expect(await outcomes(fast, commands(4, history))).toContain(false);
    expect(await outcomes(slow, commands(2, history))).toEqual([true, true]);
  });

  test('of publishes come on top', async () => {
    await using running = await startLimited({ publishesPerSecond: 1, publishBurst: 2 });
    await using session = await RawSession.connect(running.url);
    expect(await outcomes(session, commands(3, publish))).toEqual([true, true, false]);
    session.replies.length = 0;
    expect(await outcomes(session, commands(3, history))).toEqual([true, true, true]);
    expect(running.hub.metrics.rateLimited.counts.get('publish')).toBe(1);
  });

  test('of a user hold over connections, and reconnecting wins nothing', async () => {
    const clock = new ManualClock();
    const rateLimit = { userCommandsPerSecond: 10, userCommandBurst: 2 };
    await using running = await startLimited(rateLimit, clock);
    running.hub.on('connecting', ({ name }) => ({ user: name }));
    await using first = await RawSession.connect(running.url, { name: 'ann' });
    await using other = await RawSession.connect(running.url, { name: 'bob' });
    expect(await outcomes(first, commands(2, history))).toEqual([true, true]);
    await first[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(running.hub.metrics.clients).toBe(1));
    await using second = await RawSession.connect(running.url, { name: 'ann' });
    expect(await outcomes(second, commands(1, history))).toEqual([false]);
    expect(await outcomes(other, commands(2, history))).toEqual([true, true]);
    clock.advance(100);
    second.replies.length = 0;
    expect(await outcomes(second, commands(2, history))).toEqual([true, false]);
    expect(running.hub.metrics.rateLimited.counts.get('user')).toBe(2);
  });

  test('of a user do not concern anonymous clients, who are not one user', async () => {
    await using running = await startLimited({ userCommandsPerSecond: 1, userCommandBurst: 1 });
    await using session = await RawSession.connect(running.url);
    expect(await outcomes(session, commands(3, history))).toEqual([true, true, true]);
  });

  test('without a multiple nobody is ended', async () => {
    const rateLimit = { commandsPerSecond: 1, commandBurst: 2, closeMultiple: 0 };
    await using running = await startLimited(rateLimit);
    await using session = await RawSession.connect(running.url);
    expect(await outcomes(session, commands(500, history))).toContain(false);
    expect(session.closed).toBeUndefined();
  });

  test('what cannot be answered is dropped', async () => {
    await using running = await startLimited({ commandsPerSecond: 1, commandBurst: 3 });
    const seen: string[] = [];
    running.hub.on('send', ({ data: sent = data }) => {
      seen.push(Buffer.from(sent).toString());
      return true;
    });
    await using session = await RawSession.connect(running.url);
    session.send(...['1', '2', '3', '4'].map((text) => ({ send: { data: Buffer.from(text) } })));
    session.send({ id: 9, presence_stats: { channel: 'news' } });
    await session.wait(({ id }) => id === 9);
    expect(seen).toEqual(['1', '2']);
    expect(session.replies).toHaveLength(2);
  });

  test('switched off, any speed goes', async () => {
    await using running = await startLimited({ commandsPerSecond: 0 });
    await using session = await RawSession.connect(running.url);
    expect(await outcomes(session, commands(1_000, history))).not.toContain(false);
  });
});
