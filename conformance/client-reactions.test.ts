import {
  Disconnect,
  disconnectCodes,
  errorCodes,
  reactionTo,
  reconnectsAfter,
  ReplyError,
  resubscribesAfter,
  unsubscribeCodes,
} from '@holdfast/protocol';
import { expect, test, vi } from 'vitest';
import { startHub } from './running-hub.ts';

const disconnectRows = [
  ...Object.values(disconnectCodes).filter(({ code }) => code !== 3000),
  { code: 4000, reason: 'ours' },
  { code: 4499, reason: 'ours' },
  { code: 4500, reason: 'ours' },
  { code: 4999, reason: 'ours' },
];

test.each(disconnectRows)('disconnect $code: $reason', async ({ code, reason }) => {
  await using running = await startHub();
  const client = running.client();
  const connecting: [number, string][] = [];
  const disconnected: [number, string][] = [];
  client.on('connecting', (event) => connecting.push([event.code, event.reason]));
  client.on('disconnected', (event) => disconnected.push([event.code, event.reason]));
  client.connect();
  await client.ready(60_000);
  await running.hub.disconnect({ user: '' }, { code, reason });
  const [told, other] = reconnectsAfter(code)
    ? [connecting, disconnected]
    : [disconnected, connecting];
  await vi.waitFor(() => expect(told).toContainEqual([code, reason]));
  expect(other.filter(([number]) => number !== 0)).toEqual([]);
  const isBack = reconnectsAfter(code) ? 'connected' : 'disconnected';
  await vi.waitFor(() => expect(client.state).toBe(isBack));
});

test('a connection that is simply closed comes back', async () => {
  await using running = await startHub();
  const client = running.client();
  const connecting: number[] = [];
  client.on('connecting', ({ code }) => connecting.push(code));
  client.connect();
  await client.ready(60_000);
  await running.hub.disconnect({ user: '' }, disconnectCodes.connectionClosed);
  await vi.waitFor(() => expect(connecting).toEqual([0, 1]));
  await client.ready(60_000);
});

test.each(Object.values(unsubscribeCodes))(
  'unsubscribe $code: $reason',
  async ({ code, reason }) => {
    await using running = await startHub();
    const client = running.client();
    const subscription = client.newSubscription('news');
    const ended: [number, string][] = [];
    const again: [number, string][] = [];
    subscription.on('unsubscribed', (event) => ended.push([event.code, event.reason]));
    subscription.on('subscribing', (event) => again.push([event.code, event.reason]));
    subscription.subscribe();
    client.connect();
    await subscription.ready(60_000);
    again.length = 0;
    await running.hub.unsubscribe({ user: '' }, 'news', { code, reason });
    const told = resubscribesAfter(code) ? again : ended;
    await vi.waitFor(() => expect(told).toEqual([[code, reason]]));
    const state = resubscribesAfter(code) ? 'subscribed' : 'unsubscribed';
    await vi.waitFor(() => expect(subscription.state).toBe(state));
  },
);

test.each(Object.values(errorCodes))('connect error $code: $message', async (row) => {
  const { code, message, temporary } = row;
  await using running = await startHub({ client: { insecure: false } });
  let attempts = 0;
  running.hub.on('connecting', () => {
    attempts += 1;
    if (attempts === 1) throw new ReplyError(code, message, temporary);
    return { user: 'ann' };
  });
  const client = running.client({ getToken: async () => 'another' });
  const ended: number[] = [];
  client.on('disconnected', (event) => ended.push(event.code));
  client.on('error', () => {});
  client.connect();
  const isTerminal = reactionTo(row) === 'terminal';
  await vi.waitFor(() => expect(client.state).toBe(isTerminal ? 'disconnected' : 'connected'));
  expect(ended).toEqual(isTerminal ? [code] : []);
  expect(attempts).toBe(isTerminal ? 1 : 2);
});

/** An expired token makes the client ask for a fresh one: see `tokens.test.ts`. */
const subscribeErrors = Object.values(errorCodes).filter(
  (row) => reactionTo(row) !== 'refresh-token',
);

test.each(subscribeErrors)('subscribe error $code: $message', async (row) => {
  const { code, message, temporary } = row;
  await using running = await startHub();
  let attempts = 0;
  running.hub.on('subscribing', () => {
    attempts += 1;
    if (attempts === 1) throw new ReplyError(code, message, temporary);
    return {};
  });
  const client = running.client();
  const subscription = client.newSubscription('news', {
    minResubscribeDelay: 10,
    maxResubscribeDelay: 20,
  });
  const ended: number[] = [];
  subscription.on('unsubscribed', (event) => ended.push(event.code));
  subscription.on('error', () => {});
  subscription.subscribe();
  client.connect();
  const isTerminal = reactionTo(row) === 'terminal';
  const state = isTerminal ? 'unsubscribed' : 'subscribed';
  await vi.waitFor(() => expect(subscription.state).toBe(state));
  expect(ended).toEqual(isTerminal ? [code] : []);
  expect(client.state).toBe('connected');
});

test('what an application throws by mistake is an error that clients retry', async () => {
  await using running = await startHub();
  running.hub.on('rpc', () => {
    throw new TypeError('the secret is 42');
  });
  const client = running.client();
  client.connect();
  await expect(client.rpc('method', {})).rejects.toMatchObject({
    code: 100,
    message: 'internal server error',
  });
});

test('an application can end a connection from any handler', async () => {
  await using running = await startHub();
  running.hub.on('rpc', () => {
    throw new Disconnect(4500, 'go away');
  });
  const client = running.client();
  const ended: [number, string][] = [];
  client.on('disconnected', ({ code, reason }) => ended.push([code, reason]));
  client.connect();
  client.rpc('method', {}).catch(() => {});
  await vi.waitFor(() => expect(ended).toEqual([[4500, 'go away']]));
});
