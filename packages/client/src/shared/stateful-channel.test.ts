import { expect, test, vi } from 'vitest';
import { createEnvironment } from '../environment.ts';
import type { Position } from '../wire.ts';
import type { FollowedEvent, WantedChannel } from './messages.ts';
import { StatefulChannel } from './stateful-channel.ts';

function open() {
  const wanted: WantedChannel[] = [];
  const heard: FollowedEvent[] = [];
  const getState = vi.fn<() => Promise<Position>>(async () => ({ epoch: 'e', offset: 5 }));
  const channel = new StatefulChannel(
    { channel: 'news', kind: 'stream', options: {} },
    { attach: (one) => wanted.push(one), report: (event) => heard.push(event) },
    {
      getState,
      environment: createEnvironment(),
      backoff: { minDelayMs: 1, maxDelayMs: 1 },
    },
  );
  channel.open();
  return { channel, wanted, heard, getState };
}

const subscribedAt = (offset: number): FollowedEvent => ({
  type: 'subscribed',
  wasRecovering: true,
  recovered: true,
  position: { epoch: 'e', offset },
});

const publication = (offset: number): FollowedEvent => ({
  type: 'publication',
  publication: { channel: 'news', data: offset, offset },
});

const offsetsOf = (events: readonly FollowedEvent[]) =>
  events.flatMap((event) => (event.type === 'publication' ? event.publication.offset : []));

test('what the leader said before it knew of the state is not taken for its answer', async () => {
  const { channel, wanted, heard, getState } = open();
  await vi.waitFor(() => expect(wanted.at(-1)?.since).toEqual({ epoch: 'e', offset: 5 }));
  // The connection came back at the place that the leader had for this tab.
  channel.hear(publication(6));
  channel.hear(publication(7));
  channel.hear(subscribedAt(7));
  expect(heard).toEqual([]);
  channel.hear(subscribedAt(5));
  for (const offset of [6, 7, 8]) channel.hear(publication(offset));
  expect(offsetsOf(heard)).toEqual([6, 7, 8]);
  expect(getState).toHaveBeenCalledTimes(1);
});

test('closed while the state is loading, it asks for nothing and says nothing', async () => {
  const { channel, wanted, heard, getState } = open();
  channel.close();
  await getState.mock.results[0]!.value;
  await Promise.resolve();
  expect({ wanted, heard }).toEqual({ wanted: [], heard: [] });
  expect(channel.wanted).toBeUndefined();
});
