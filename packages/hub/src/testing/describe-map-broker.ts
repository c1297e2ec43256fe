import { describe, expect, test, vi } from 'vitest';
import type { BrokerPublication } from '../ports/broker.ts';
import type { MapPublication } from '../ports/map-broker.ts';
import { startNode } from './broker-testbed.ts';
import { describeMapChanges } from './describe-map-changes.ts';
import { describeMapLifetime } from './describe-map-lifetime.ts';
import { describeMapReading } from './describe-map-reading.ts';
import {
  modes,
  persistent,
  recoverable,
  stateOf,
  summary,
  value,
  type MapBrokerTestbed,
} from './map-testbed.ts';
import { bytes, clientInfo, text, uniqueName } from './port-testbed.ts';

/**
 * The contract of {@link MapBroker} as tests: every implementation passes it unchanged.
 * @param createTestbed is called once per test
 */
export function describeMapBroker(
  name: string,
  createTestbed: () => Promise<MapBrokerTestbed>,
): void {
  describe(`${name} as a map broker`, () => {
    describeDelivery(createTestbed);
    describeMapChanges(createTestbed);
    describeMapReading(createTestbed);
    describeMapLifetime(createTestbed);
  });
}

/** What arrived in a channel, in the form of {@link summary}. */
function changesOf(events: readonly BrokerPublication[], channel: string): readonly string[] {
  const changes = events.filter((event) => event.channel === channel);
  return summary(changes.map(({ publication }) => publication as MapPublication));
}

function describeDelivery(createTestbed: () => Promise<MapBrokerTestbed>): void {
  describe('delivery of changes', () => {
    test.each(modes)('%s: reaches every subscribed node whole', async (_, retention) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('whole');
      const first = await startNode(testbed, channel);
      const second = await startNode(testbed, channel);
      const publication = {
        key: 'ключ "1"\n',
        data: Uint8Array.from({ length: 256 }, (_, index) => index),
        info: { ...clientInfo('c1', 'ünï'), chan_info: new Uint8Array([0, 255]) },
        tags: { empty: '', ключ: '値' },
        score: -1.5,
      };
      const options = { retention, excludeClient: 'me' };
      const result = await first.broker.publish(channel, publication, options);
      const hasStream = retention.streamSize > 0;
      expect(result.suppressed).toBeUndefined();
      expect(result.position?.offset).toBe(hasStream ? 1 : undefined);
      const { entries } = await second.broker.readState(channel, { retention, limit: -1 });
      for (const { events } of [first, second]) {
        await vi.waitFor(() => expect(events.publications).toHaveLength(1), 60_000);
        const [event] = events.publications;
        expect(event).toMatchObject({ channel, excludeClient: 'me' });
        expect(event?.position).toEqual(result.position);
        expect(event?.publication).toMatchObject(publication);
        expect(event?.publication.offset ?? 0).toBe(hasStream ? 1 : 0);
        expect(event?.publication.time).toBeGreaterThan(0);
        expect(event).not.toHaveProperty('previous');
        expect(entries).toEqual([event?.publication]);
      }
    });

    test.each(modes)('%s: a removal is a change too, with the tags', async (_, retention) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('removal');
      const { broker } = await startNode(testbed);
      const { events } = await startNode(testbed, channel);
      const tags = { group: 'a' };
      await broker.publish(channel, { ...value('k', '1'), tags }, { retention });
      await broker.publish(channel, value('l', '2'), { retention });
      const result = await broker.remove(channel, 'k', { retention, excludeClient: 'me' });
      expect(result.suppressed).toBeUndefined();
      await vi.waitFor(() => expect(events.publications).toHaveLength(3), 60_000);
      expect(changesOf(events.publications, channel)).toEqual(['k=1', 'l=2', '-k']);
      const removal = events.publications[2];
      expect(removal?.publication).toMatchObject({ key: 'k', removed: true, tags });
      expect(removal?.publication.data ?? bytes('')).toEqual(bytes(''));
      expect(removal).toMatchObject({ excludeClient: 'me' });
      expect(removal?.position).toEqual(result.position);
      expect(result.position?.offset).toBe(retention.streamSize > 0 ? 3 : undefined);
      expect(await stateOf(broker, channel, retention)).toEqual(['l=2']);
    });

    test('a node gets nothing of channels it is not subscribed to', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('subscribed');
      const { broker, events } = await startNode(testbed, uniqueName('other'));
      const publish = (data: string): Promise<unknown> =>
        broker.publish(channel, value('k', data), { retention: persistent });
      await publish('before');
      await broker.subscribe(channel);
      await broker.subscribe(channel);
      await publish('during');
      await events.arrived(channel, 'during');
      await broker.unsubscribe(channel);
      await broker.unsubscribe(channel);
      await publish('between');
      await broker.clear(channel);
      await broker.subscribe(channel);
      await publish('after');
      await events.arrived(channel, 'after');
      expect(events.dataOf(channel)).toEqual(['during', 'after']);
      expect(events.publications).toHaveLength(2);
      expect(events.clearings).toEqual([]);
    });

    test('parallel changes get consecutive offsets, and all nodes see one order', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('parallel');
      const first = await startNode(testbed, channel);
      const second = await startNode(testbed, channel);
      const retention = recoverable;
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, index) => {
          const { broker } = index % 2 === 0 ? first : second;
          return broker.publish(channel, value(`k${index % 7}`, `${index}`), { retention });
        }),
      );
      const stream = await first.broker.readStream(channel, { retention, limit: -1 });
      const offsets = Array.from({ length: 100 }, (_, index) => index + 1);
      expect(stream.publications.map(({ offset }) => offset)).toEqual(offsets);
      for (const [index, { position }] of results.entries()) {
        expect(text(stream.publications[(position?.offset ?? 0) - 1]?.data)).toBe(`${index}`);
        expect(position?.epoch).toBe(stream.position?.epoch);
      }
      for (const { events } of [first, second]) {
        await vi.waitFor(() => expect(events.publications).toHaveLength(100), 60_000);
        expect(events.publications.map(({ publication }) => publication)).toEqual(
          stream.publications,
        );
      }
      // The state has the last change of each key.
      const last = new Map(stream.publications.map((change) => [change.key, text(change.data)]));
      const state = await stateOf(second.broker, channel, retention);
      expect(state.toSorted()).toEqual([...last].map((pair) => pair.join('=')).toSorted());
    });

    test.each(modes)(
      '%s: a change from inside a handler comes after its cause',
      async (_, retention) => {
        await using testbed = await createTestbed();
        const channel = uniqueName('nested');
        const before = await startNode(testbed, channel);
        const nested = await startNode(testbed, channel);
        const after = await startNode(testbed, channel);
        const { broker, events } = nested;
        const record = events.publication.bind(events);
        const answers: Promise<unknown>[] = [];
        events.publication = (event) => {
          if (text(event.publication.data) === 'question') {
            answers.push(broker.publish(channel, value('k', 'answer'), { retention }));
          }
          record(event);
        };
        await before.broker.publish(channel, value('k', 'question'), { retention });
        for (const node of [before, nested, after]) {
          await node.events.arrived(channel, 'answer');
          expect(node.events.dataOf(channel)).toEqual(['question', 'answer']);
        }
        await Promise.all(answers);
      },
    );

    test('hands over the value before, per key, when asked', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('previous');
      const { broker } = await startNode(testbed);
      const { events } = await startNode(testbed, channel);
      const retention = persistent;
      const publish = (key: string, data: string, streamData?: string): Promise<unknown> =>
        broker.publish(channel, value(key, data), {
          retention,
          withPrevious: true,
          ...(streamData === undefined ? {} : { streamData: bytes(streamData) }),
        });
      await publish('a', 'a1');
      await publish('b', 'b1');
      await publish('a', 'a2');
      await broker.publish(channel, value('b', 'b2'), { retention });
      await publish('b', 'b3');
      await publish('b', 'b4', 'b+1');
      // Subscribers have "b+1", which is not what the key has.
      await publish('b', 'b5');
      await publish('b', 'b6');
      await broker.remove(channel, 'a', { retention });
      await publish('a', 'a3');
      await events.arrived(channel, 'a3');
      const previous = events.publications.map((event) => [
        text(event.publication.data),
        event.previous && text(event.previous.data),
      ]);
      expect(previous).toEqual([
        ['a1', undefined],
        ['b1', undefined],
        ['a2', 'a1'],
        ['b2', undefined],
        ['b3', 'b2'],
        ['b+1', undefined],
        ['b5', undefined],
        ['b6', 'b5'],
        ['', undefined],
        ['a3', undefined],
      ]);
      expect(events.publications[7]?.previous?.key).toBe('b');
    });

    test('stream data goes to stream and subscribers, the data into the state', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('stream-data');
      const { broker, events } = await startNode(testbed, channel);
      const retention = recoverable;
      const tags = { t: 'x' };
      const streamData = bytes('+5');
      await broker.publish(channel, { ...value('k', '105', 3), tags }, { retention, streamData });
      await events.arrived(channel, '+5');
      const { entries } = await broker.readState(channel, { retention, limit: -1 });
      const { publications } = await broker.readStream(channel, { retention, limit: -1 });
      expect([summary(entries), summary(publications)]).toEqual([['k=105'], ['k=+5']]);
      for (const [publication] of [entries, publications]) {
        expect(publication).toMatchObject({ offset: 1, score: 3, tags });
      }
    });

    test('clearing tells every node and begins a new epoch', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('cleared');
      const first = await startNode(testbed, channel);
      const second = await startNode(testbed, channel);
      const { broker } = first;
      for (const [mode, retention] of modes) {
        const name = `${channel}/${mode}`;
        await first.broker.subscribe(name);
        await second.broker.subscribe(name);
        for (const key of ['a', 'b']) await broker.publish(name, value(key, '1'), { retention });
        const { position } = await broker.readState(name, { retention, limit: 0 });
        await broker.clear(name);
        expect(await broker.stats(name)).toEqual({ keys: 0 });
        expect(await stateOf(broker, name, retention)).toEqual([]);
        const { publications } = await broker.readStream(name, { retention, limit: -1 });
        expect(publications).toEqual([]);
        const anew = await broker.publish(name, value('c', '1'), { retention });
        expect(anew.position?.offset).toBe(position && 1);
        expect(anew.position === undefined || anew.position.epoch !== position?.epoch).toBe(true);
        for (const { events } of [first, second]) {
          await vi.waitFor(() => expect(events.clearings).toContain(name), 60_000);
          expect(changesOf(events.publications, name)).not.toContain('-a');
        }
      }
      await broker.clear(channel);
      await broker.clear(uniqueName('never-used'));
    });

    test('tells when deliveries may have been lost, and goes on delivering', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('interrupted');
      const { broker, events } = await startNode(testbed, channel);
      const other = await startNode(testbed, channel);
      await testbed.breakLink(broker);
      await vi.waitFor(() => expect(events.interruptions.length).toBeGreaterThan(0), 60_000);
      expect(events.interruptions.flatMap((channels) => channels ?? [channel])).toContain(channel);
      await other.broker.publish(channel, value('k', 'after'), { retention: recoverable });
      await events.arrived(channel, 'after');
      expect(broker.problem()).toBeUndefined();
    });

    test('is ready once started, and silent once closed', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('closed');
      const { broker, events } = await startNode(testbed, channel);
      const other = await startNode(testbed, channel);
      expect(broker.problem()).toBeUndefined();
      await broker.close();
      await broker.close();
      expect(broker.problem()).toMatch(/./);
      await other.broker.publish(channel, value('k', 'late'), { retention: recoverable });
      await other.events.arrived(channel, 'late');
      expect(events.publications).toEqual([]);
    });
  });
}
