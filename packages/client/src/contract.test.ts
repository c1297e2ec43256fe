import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import type { Client } from './client.ts';
import { defineChannels, typed } from './contract.ts';
import type { SubscriptionOptions } from './subscription.ts';

const contract = defineChannels({
  news: z.object({ title: z.string() }),
  'chat:{room}': z.object({ at: z.string().transform((text) => new Date(text)) }),
  'slow:{n}': z.object({ ms: z.number() }).refine(async ({ ms }) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return true;
  }),
});

/** What a typed client hands to the client below it. */
function recordingClient() {
  const published: unknown[] = [];
  let options: SubscriptionOptions = {};
  const client = {
    publish: async (_channel: string, data: unknown) => void published.push(data),
    subscribe: (_channel: string, given: SubscriptionOptions) => {
      options = given;
      return { close: () => undefined };
    },
  } as unknown as Client;
  return {
    client,
    published,
    receive: (data: unknown) => options.onPublication?.({ channel: 'any', data }),
  };
}

describe('a contract', () => {
  test('gives the output of the schema that the channel has', async () => {
    const parsed = await contract.parse('chat:blue', { at: '2026-01-02T00:00:00Z' });
    expectTypeOf(parsed).toEqualTypeOf<{ at: Date }>();
    expect(parsed.at.getTime()).toBe(Date.UTC(2026, 0, 2));
  });

  test('says where data does not match', async () => {
    await expect(contract.parse('news', { title: 7 })).rejects.toMatchObject({
      code: 'invalid_data',
      details: { issues: [expect.stringMatching(/^title: /)] },
    });
  });

  test('knows no channel beyond its patterns', async () => {
    await expect(contract.parse('chat:' as 'chat:x', {})).rejects.toMatchObject({
      code: 'misused',
    });
    await expect(contract.parse('newsx' as 'news', {})).rejects.toMatchObject({ code: 'misused' });
  });
});

describe('a typed client', () => {
  test('sends nothing that does not match', async () => {
    const { client, published } = recordingClient();
    const channels = typed(client, contract);
    await channels.publish('news', { title: 'x' });
    // @ts-expect-error: the type says the same as the schema
    await expect(channels.publish('news', { title: 7 })).rejects.toMatchObject({
      code: 'invalid_data',
    });
    expect(published).toEqual([{ title: 'x' }]);
  });

  test('delivers what matches, in order, and reports the rest', async () => {
    const { client, receive } = recordingClient();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const seen: unknown[] = [];
    typed(client, contract).subscribe('slow:1', {
      onPublication: ({ data }) => {
        expectTypeOf(data).toEqualTypeOf<{ ms: number }>();
        seen.push(data.ms);
        if (seen.length === 3) resolve();
      },
      onInvalid: ({ code }) => seen.push(code),
    });
    receive({ ms: 20 });
    receive({ ms: 'no' });
    receive({ ms: 1 });
    await done;
    expect(seen).toEqual([20, 'invalid_data', 1]);
  });
});
