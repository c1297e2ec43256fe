import { expect, test, vi } from 'vitest';
import type { Cluster } from './cluster.ts';
import { HubMetrics } from './metrics.ts';
import { LastSeen } from './last-seen.ts';
import { Namespaces } from './namespaces.ts';
import { defaultChannelsOptions } from './channel-options.ts';
import { defaultClientOptions } from './client-options.ts';
import { SessionRegistry } from './session-registry.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { maxPatternChannels, WidePublisher } from './wide-publisher.ts';

test('a pattern that matches too many channels publishes nothing', async () => {
  const active = new Map<string, unknown>();
  const broadcast = vi.fn<(channels: readonly string[]) => Promise<object[]>>(async (channels) =>
    channels.map(() => ({})),
  );
  const lastSeen = new LastSeen(defaultClientOptions, new ManualClock());
  const hub = {
    sessions: new SessionRegistry(new HubMetrics(), lastSeen),
    namespaces: new Namespaces(defaultChannelsOptions),
    channels: async () => active,
    broadcast,
  };
  const publisher = new WidePublisher(hub, { handle() {} } as unknown as Cluster);
  for (let index = 0; index < maxPatternChannels; index += 1) active.set(`c${index}`, {});
  expect((await publisher.publishToPattern('c*', new Uint8Array(1), {})).size).toBe(10_000);
  active.set('one more', {});
  const refused = publisher.publishToPattern('*', new Uint8Array(1), {});
  await expect(refused).rejects.toMatchObject({ code: 106 });
  expect(broadcast).toHaveBeenCalledTimes(1);
});
