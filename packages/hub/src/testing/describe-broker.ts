import { describe, expect, test, vi } from 'vitest';
import type { Broker, BrokerPublishOptions, BrokerPublishResult } from '../ports/broker.ts';
import { kept, startNode, type BrokerTestbed } from './broker-testbed.ts';
import { describeBrokerHistory } from './describe-broker-history.ts';
import { describeBrokerSuppression } from './describe-broker-suppression.ts';
import { bytes, clientInfo, text, uniqueName } from './port-testbed.ts';
import { RecordedEvents } from './recorded-events.ts';

const notKept: BrokerPublishOptions = { ...kept, historySize: 0 };
const everything = { limit: -1, historyMetaTtlMs: kept.historyMetaTtlMs };

/**
 * The contract of {@link Broker} as tests: every implementation passes it unchanged.
 * @param createTestbed is called once per test
 */
export function describeBroker(name: string, createTestbed: () => Promise<BrokerTestbed>): void {
  describe(`${name} as a broker`, () => {
    describeDelivery(createTestbed);
    describeOrder(createTestbed);
    describeBrokerSuppression(createTestbed);
    describeBrokerHistory(createTestbed);
  });
}

function describeDelivery(createTestbed: () => Promise<BrokerTestbed>): void {
  describe('delivery', () => {
    test('a publication reaches every subscribed node whole, with the position of the result', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('whole');
      const first = await startNode(testbed, channel);
      const second = await startNode(testbed, channel);
      const publication = {
        data: Uint8Array.from({ length: 256 }, (_, index) => index),
        info: { ...clientInfo('c1', 'ünï'), chan_info: new Uint8Array([0, 255]) },
        tags: { empty: '', quote: '"\n', ключ: '値' },
      };
      const result = await first.broker.publish(channel, publication, kept);
      expect(result.suppressed).toBeUndefined();
      expect(result.position?.offset).toBe(1);
      expect(result.position?.epoch).toMatch(/^.{1,64}$/);
      const history = await second.broker.history(channel, everything);
      for (const { events } of [first, second]) {
        await vi.waitFor(() => expect(events.publications).toHaveLength(1));
        const [event] = events.publications;
        expect(event).toMatchObject({ channel, position: result.position });
        expect(event?.publication).toMatchObject({ ...publication, offset: 1 });
        expect(event?.publication.time).toBeGreaterThan(0);
        expect(event).not.toHaveProperty('previous');
        expect(event).not.toHaveProperty('excludeClient');
        expect(history.publications).toEqual([event?.publication]);
      }
    });

    test('without history a publication has no position and is not kept', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('not-kept');
      const { broker, events } = await startNode(testbed, channel);
      for (const options of [notKept, { ...kept, historyTtlMs: 0 }]) {
        expect(await broker.publish(channel, { data: bytes('gone') }, options)).toEqual({});
      }
      await vi.waitFor(() => expect(events.dataOf(channel)).toEqual(['gone', 'gone']));
      for (const event of events.publications) {
        expect(event).not.toHaveProperty('position');
        expect(event.publication.offset ?? 0).toBe(0);
      }
      const page = await broker.history(channel, everything);
      expect(page).toMatchObject({ publications: [], position: { offset: 0 } });
    });

    test.each([
      ['no data', ''],
      ['one byte', 'x'],
      ['64 KiB', 'ab'.repeat(32_768)],
      ['what looks like a separator', '\r\n\0:{}__'],
    ])('carries %s, live and in history', async (_, data) => {
      await using testbed = await createTestbed();
      const channel = uniqueName('payload');
      const { broker, events } = await startNode(testbed, channel);
      await broker.publish(channel, { data: bytes(data) }, kept);
      await events.arrived(channel, data);
      const { publications } = await broker.history(channel, everything);
      expect(publications.map((publication) => text(publication.data))).toEqual([data]);
    });

    test('channel names are opaque', async () => {
      await using testbed = await createTestbed();
      const unique = uniqueName('n');
      const names = ['a b', 'é', '{x}', '*', '>', 'a.b', '[a-z]', '\\', "'", 'x'.repeat(200)].map(
        (label) => `${unique}${label}`,
      );
      const { broker, events } = await startNode(testbed, ...names);
      for (const channel of names) await broker.publish(channel, { data: bytes(channel) }, kept);
      for (const channel of names) await events.arrived(channel, channel);
      for (const channel of names) {
        expect(events.dataOf(channel)).toEqual([channel]);
        const { publications } = await broker.history(channel, everything);
        expect(publications.map((publication) => text(publication.data))).toEqual([channel]);
      }
    });

    test('a node gets nothing of channels it is not subscribed to', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('subscribed');
      const other = uniqueName('other');
      const { broker, events } = await startNode(testbed, other);
      await broker.publish(channel, { data: bytes('before') }, kept);
      await broker.publishJoin(channel, clientInfo('before'));
      await broker.subscribe(channel);
      await broker.publish(channel, { data: bytes('during') }, kept);
      await events.arrived(channel, 'during');
      await broker.unsubscribe(channel);
      await broker.publish(channel, { data: bytes('between') }, kept);
      await broker.publishLeave(channel, clientInfo('between'));
      await broker.subscribe(channel);
      await broker.publish(channel, { data: bytes('after') }, kept);
      await events.arrived(channel, 'after');
      // What the node missed could only have come before what it has now: a channel has one order.
      expect(events.dataOf(channel)).toEqual(['during', 'after']);
      expect(events.dataOf(other)).toEqual([]);
      expect([events.joins, events.leaves]).toEqual([[], []]);
      const { publications } = await broker.history(channel, everything);
      expect(publications).toHaveLength(4);
    });

    test('subscribing twice delivers once, and one unsubscribe ends it', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('twice');
      const { broker, events } = await startNode(testbed, channel);
      await broker.subscribe(channel);
      await broker.publish(channel, { data: bytes('1') }, kept);
      await events.arrived(channel, '1');
      await broker.unsubscribe(channel);
      await broker.unsubscribe(channel);
      await broker.unsubscribe(uniqueName('never-subscribed'));
      await broker.publish(channel, { data: bytes('2') }, kept);
      await broker.subscribe(channel);
      await broker.publish(channel, { data: bytes('3') }, kept);
      await events.arrived(channel, '3');
      expect(events.dataOf(channel)).toEqual(['1', '3']);
    });

    test('subscribing to a thousand channels at once reaches all of them', async () => {
      await using testbed = await createTestbed();
      const prefix = uniqueName('many');
      const channels = Array.from({ length: 1000 }, (_, index) => `${prefix}/${index}`);
      const { broker, events } = await startNode(testbed);
      await Promise.all(channels.map((channel) => broker.subscribe(channel)));
      await Promise.all(
        channels.map((channel) => broker.publish(channel, { data: bytes(channel) }, kept)),
      );
      await vi.waitFor(() => expect(events.publications).toHaveLength(1000), 60_000);
      expect(new Set(events.publications.map(({ channel }) => channel))).toEqual(new Set(channels));
      await Promise.all(channels.map((channel) => broker.unsubscribe(channel)));
    });

    test('joins and leaves reach subscribed nodes whole', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('join');
      const first = await startNode(testbed, channel);
      const second = await startNode(testbed, channel);
      const info = { ...clientInfo('c1'), chan_info: new Uint8Array([0, 255]) };
      await first.broker.publishJoin(channel, info);
      await first.broker.publishLeave(channel, { user: '', client: 'c2' });
      for (const { events } of [first, second]) {
        await vi.waitFor(() => expect(events.leaves).toHaveLength(1));
        expect(events.joins).toEqual([{ channel, info }]);
        expect(events.leaves).toEqual([{ channel, info: { user: '', client: 'c2' } }]);
        expect(events.publications).toEqual([]);
      }
    });

    test('names the client that is left out', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('exclude');
      const { broker } = await startNode(testbed);
      const { events } = await startNode(testbed, channel);
      for (const options of [kept, notKept]) {
        await broker.publish(channel, { data: bytes('x') }, { ...options, excludeClient: 'me' });
      }
      await vi.waitFor(() => expect(events.publications).toHaveLength(2));
      expect(events.publications.map(({ excludeClient }) => excludeClient)).toEqual(['me', 'me']);
    });

    test('hands over the previous publication when asked', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('previous');
      const { broker } = await startNode(testbed);
      const { events } = await startNode(testbed, channel);
      const publish = async (data: string, withPrevious: boolean): Promise<void> => {
        await broker.publish(
          channel,
          { data: bytes(data) },
          { ...kept, historySize: 1, withPrevious },
        );
      };
      await publish('1', true);
      await publish('2', true);
      await publish('3', false);
      await publish('4', true);
      await broker.removeHistory(channel);
      await publish('5', true);
      await events.arrived(channel, '5');
      const previous = events.publications.map((event) => event.previous);
      expect(previous.map((publication) => publication?.offset)).toEqual([
        undefined,
        1,
        undefined,
        3,
        undefined,
      ]);
      expect(text(previous[1]?.data)).toBe('1');
      expect(text(previous[3]?.data)).toBe('3');
    });

    test('a publication is in history before any node hears of it', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('ack');
      const { broker: reader } = await startNode(testbed);
      const broker = await testbed.addNode();
      const events = new RecordedEvents();
      const reads: Promise<number>[] = [];
      await broker.start({
        publication(event) {
          const read = async (): Promise<number> => {
            const { position } = await reader.history(channel, everything);
            return position.offset - (event.position?.offset ?? 0);
          };
          reads.push(read());
          events.publication(event);
        },
        join: () => undefined,
        leave: () => undefined,
        interrupted: () => undefined,
      });
      await broker.subscribe(channel);
      for (let count = 1; count <= 10; count += 1) {
        const { position } = await broker.publish(channel, { data: bytes(`${count}`) }, kept);
        expect(position?.offset).toBe(count);
        expect((await reader.history(channel, everything)).position).toEqual(position);
      }
      await events.arrived(channel, '10');
      expect(Math.min(...(await Promise.all(reads)))).toBeGreaterThanOrEqual(0);
    });

    test('tells when deliveries may have been lost, and goes on delivering', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('interrupted');
      const { broker, events } = await startNode(testbed, channel);
      const other = await startNode(testbed, channel);
      await broker.publish(channel, { data: bytes('before') }, kept);
      await events.arrived(channel, 'before');
      await testbed.breakLink(broker);
      await vi.waitFor(() => expect(events.interruptions.length).toBeGreaterThan(0), 60_000);
      const named = events.interruptions.flatMap((channels) => channels ?? [channel]);
      expect(named).toContain(channel);
      expect(broker.problem()).toBeUndefined();
      await other.broker.publish(channel, { data: bytes('after') }, kept);
      await events.arrived(channel, 'after');
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
      await other.broker.publish(channel, { data: bytes('late') }, kept);
      await other.events.arrived(channel, 'late');
      expect(events.publications).toEqual([]);
    });
  });
}

function describeOrder(createTestbed: () => Promise<BrokerTestbed>): void {
  describe('order', () => {
    test('parallel publishes get consecutive offsets, and all nodes see one order', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('parallel');
      const first = await startNode(testbed, channel);
      const second = await startNode(testbed, channel);
      const publish = async (
        broker: Broker,
        data: string,
      ): Promise<BrokerPublishResult & { data: string }> => ({
        ...(await broker.publish(channel, { data: bytes(data) }, kept)),
        data,
      });
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          publish(index % 2 === 0 ? first.broker : second.broker, `p${index}`),
        ),
      );
      const { publications, position } = await first.broker.history(channel, everything);
      expect(publications.map(({ offset }) => offset)).toEqual(
        Array.from({ length: 100 }, (_, index) => index + 1),
      );
      expect(new Set(results.map((result) => result.position?.epoch))).toEqual(
        new Set([position.epoch]),
      );
      const inOrder = publications.map(({ data }) => text(data));
      // The offset in each result names what that very call published.
      for (const { data, position } of results) {
        expect(inOrder[(position?.offset ?? 0) - 1]).toBe(data);
      }
      for (const { events } of [first, second]) {
        await vi.waitFor(() => expect(events.publications).toHaveLength(100), 60_000);
        expect(events.dataOf(channel)).toEqual(inOrder);
        expect(events.publications.map((event) => event.position?.offset)).toEqual(
          publications.map(({ offset }) => offset),
        );
      }
    });

    test('a publish from inside a handler comes after what caused it, on every node', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('nested');
      const before = await startNode(testbed, channel);
      const broker = await testbed.addNode();
      const answers: Promise<unknown>[] = [];
      const events = new RecordedEvents();
      await broker.start({
        publication(event) {
          const question = text(event.publication.data);
          if (question.startsWith('question')) {
            answers.push(broker.publish(channel, { data: bytes(`answer to ${question}`) }, kept));
          }
          events.publication(event);
        },
        join: () => undefined,
        leave: () => undefined,
        interrupted: () => undefined,
      });
      await broker.subscribe(channel);
      const after = await startNode(testbed, channel);
      for (const data of ['question 1', 'question 2']) {
        await before.broker.publish(channel, { data: bytes(data) }, kept);
      }
      for (const node of [before.events, events, after.events]) {
        await node.arrived(channel, 'answer to question 2');
        await node.arrived(channel, 'answer to question 1');
        expect(node.publications.map((event) => event.position?.offset)).toEqual([1, 2, 3, 4]);
      }
      await Promise.all(answers);
    });

    test('a page and its position are one snapshot while others publish', async () => {
      await using testbed = await createTestbed();
      const channel = uniqueName('snapshot');
      const { broker } = await startNode(testbed);
      const { broker: reader } = await startNode(testbed);
      const publishes = Array.from({ length: 50 }, () => broker.publish(channel, {}, kept));
      const reads = Array.from({ length: 20 }, () => reader.history(channel, everything));
      for (const { publications, position } of await Promise.all(reads)) {
        expect(publications.at(-1)?.offset ?? 0).toBe(position.offset);
        expect(publications).toHaveLength(position.offset);
      }
      await Promise.all(publishes);
    });
  });
}
