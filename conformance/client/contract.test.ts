import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { createClient } from '@holdfast/client';
import { type Contract, defineChannels, typed, typedHub } from '@holdfast/client/contract';
import { createHub } from '@holdfast/hub';
import { startApp } from './running-app.ts';

type Schemas = {
  readonly 'chat:{room}': StandardSchemaV1<{ text: string }>;
  readonly news: StandardSchemaV1<string>;
};

/** The same contract in the words of three libraries. */
const contracts: Readonly<Record<string, Contract<Schemas>>> = {
  zod: defineChannels<Schemas>({
    'chat:{room}': z.object({ text: z.string().max(10) }),
    news: z.string(),
  }),
  valibot: defineChannels<Schemas>({
    'chat:{room}': v.object({ text: v.pipe(v.string(), v.maxLength(10)) }),
    news: v.string(),
  }),
  arktype: defineChannels<Schemas>({
    'chat:{room}': type({ text: 'string <= 10' }),
    news: type('string'),
  }),
};

const channel = { allowPublishForClient: true, historySize: 10, historyTtlMs: 60_000 };
const options = {
  channel: {
    withoutNamespace: channel,
    namespaces: [
      { name: 'chat', ...channel },
      { name: 'free', ...channel },
      { name: 'map', subscriptionType: 'map' as const, map: { allowPublishForClient: true } },
    ],
  },
};

async function connect(url: string) {
  const client = createClient({ url });
  onTestFinished(() => client.close());
  client.connect();
  await vi.waitFor(() => expect(client.state.status).toBe('connected'), { timeout: 60_000 });
  return client;
}

describe.each(Object.entries(contracts))('a contract in %s', (_library, contract) => {
  test('holds at the server for whoever publishes, before anybody hears of it', async () => {
    await using running = await startApp({ hub: { ...options, contract } });
    const client = await connect(running.url);
    const received: unknown[] = [];
    const subscription = client.subscribe('chat:blue', {
      onPublication: ({ data }) => received.push(data),
    });
    await vi.waitFor(() => expect(subscription.state.status).toBe('subscribed'));
    const wrong = { text: 'much too long for it' };
    await expect(running.hub.publish('chat:blue', wrong)).rejects.toMatchObject({
      code: 107,
      message: expect.stringContaining('text') as string,
    });
    await expect(running.hub.publish('chat:blue', Buffer.from('no'))).rejects.toMatchObject({
      code: 107,
      message: 'bad request: the data is not JSON',
    });
    await expect(client.publish('chat:blue', { text: 7 })).rejects.toMatchObject({
      code: 'refused',
      details: { code: 107 },
    });
    const [refused, accepted] = await running.hub.broadcast(['chat:blue', 'free:x'], wrong);
    expect(refused).toMatchObject({ code: 107 });
    expect(accepted).toMatchObject({ position: { offset: 1 } });
    await client.publish('chat:blue', { text: 'right' });
    await vi.waitFor(() => expect(received).toEqual([{ text: 'right' }]));
    expect((await running.hub.history('chat:blue', { limit: -1 })).publications).toHaveLength(1);
  });

  test('gives the hub its types', async () => {
    const hub = typedHub(createHub({ ...options, contract }), contract);
    onTestFinished(() => hub.shutdown({ timeoutMs: 0 }));
    expectTypeOf<typeof hub.publish<'news'>>().parameter(1).toEqualTypeOf<string>();
    await expect(hub.publish('news', 'it is out')).resolves.toMatchObject({
      position: { offset: 1 },
    });
    // @ts-expect-error: the type says the same as the schema
    await expect(hub.publish('news', { title: 7 })).rejects.toMatchObject({ code: 107 });
    // @ts-expect-error: no pattern matches
    const elsewhere = hub.publish('free:x', 1);
    await expect(elsewhere).resolves.toMatchObject({ position: { offset: 1 } });
  });

  test('holds at the receiving end: what does not match is reported, and the rest delivered', async () => {
    // The server does not know the contract, as one in another language would not.
    await using running = await startApp({ hub: options });
    const client = await connect(running.url);
    const seen: unknown[] = [];
    const subscription = typed(client, contract).subscribe('news', {
      onPublication: ({ data }) => seen.push(data),
      onInvalid: ({ code, details }) => seen.push([code, details.issues?.length]),
    });
    await vi.waitFor(() => expect(subscription.state.status).toBe('subscribed'));
    await running.hub.publish('news', 'one');
    await running.hub.publish('news', 2);
    await running.hub.publish('news', 'three');
    await vi.waitFor(() => expect(seen).toEqual(['one', ['invalid_data', 1], 'three']));
    expect(client.state.status).toBe('connected');
  });
});

test('the values of a map are held against it too', async () => {
  const contract = defineChannels({ 'map:{name}': z.object({ n: z.number() }) });
  await using running = await startApp({ hub: { ...options, contract } });
  await expect(
    running.hub.publishMap('map:a', { key: 'k', data: { n: 'x' } }),
  ).rejects.toMatchObject({ code: 107 });
  await running.hub.publishMap('map:a', { key: 'k', data: { n: 1 } });
  const { entries } = await running.hub.readMapState('map:a');
  expect(entries).toHaveLength(1);
});

test('a hub without the contract is not taken for one that has it', () => {
  const contract = defineChannels({ news: z.string() });
  const hub = createHub();
  onTestFinished(() => hub.shutdown({ timeoutMs: 0 }));
  expect(() => typedHub(hub, contract)).toThrow('createHub({ contract })');
});
