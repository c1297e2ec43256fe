import { describe, expect, test, vi } from 'vitest';
import type { NodeBus, NodeMessage } from '../ports/node-bus.ts';
import { bytes, uniqueName, type PortTestbed } from './port-testbed.ts';

interface BusNode {
  readonly id: string;
  readonly bus: NodeBus;
  readonly received: NodeMessage[];
}

async function startNode(testbed: PortTestbed<NodeBus>): Promise<BusNode> {
  const node: BusNode = { id: uniqueName('node'), bus: await testbed.addNode(), received: [] };
  await node.bus.start(node.id, (message) => node.received.push(message));
  return node;
}

function left(uid: string): NodeMessage {
  return { type: 'node_left', uid };
}

const selector = { user: 'ann', client: 'c1', session: 's1', whitelist: ['c2', 'c3'] };
const everyBytes = Uint8Array.from({ length: 256 }, (_, index) => index);

const messages: readonly NodeMessage[] = [
  {
    type: 'node_info',
    info: {
      uid: 'n1',
      name: 'näme "x"',
      version: '1.0.0',
      num_clients: 1,
      num_users: 2,
      num_subs: 3,
      num_channels: 4,
      uptime: 5,
    },
  },
  left('n1'),
  {
    type: 'subscribe',
    selector,
    channel: 'chat',
    grant: { expireAt: 5, info: everyBytes, data: bytes('{}'), overrides: { presence: true } },
    recoverSince: { offset: 9_007_199_254_740_991, epoch: 'e' },
  },
  { type: 'subscribe', selector: { user: '' }, channel: 'chat', grant: {} },
  { type: 'unsubscribe', selector, channel: '', code: 2000, reason: 'server unsubscribe' },
  { type: 'disconnect', selector, code: 3503, reason: 'force disconnect' },
  { type: 'refresh', selector, expired: true, expireAt: 1, info: everyBytes },
  { type: 'request', id: 'r1', from: 'n1', method: 'emulation', params: everyBytes },
  { type: 'response', id: 'r1', from: 'n2', result: new Uint8Array() },
  { type: 'response', id: 'r2', from: 'n2', error: 'no such session' },
];

/**
 * The contract of {@link NodeBus} as tests: every implementation passes it unchanged.
 * @param createTestbed is called once per test
 */
export function describeNodeBus(
  name: string,
  createTestbed: () => Promise<PortTestbed<NodeBus>>,
): void {
  describe(`${name} as a node bus`, () => {
    test('every kind of message arrives whole, in the order sent', async () => {
      await using testbed = await createTestbed();
      const [sender, receiver] = [await startNode(testbed), await startNode(testbed)];
      for (const message of messages) await sender.bus.send(message);
      await vi.waitFor(() => expect(receiver.received).toHaveLength(messages.length), 60_000);
      expect(receiver.received).toEqual(messages);
      expect(sender.bus.problem()).toBeUndefined();
    });

    test('without a node id all others get it, the sender never', async () => {
      await using testbed = await createTestbed();
      const nodes = [await startNode(testbed), await startNode(testbed), await startNode(testbed)];
      for (const { bus, id } of nodes) await bus.send(left(id));
      for (const { id, received } of nodes) {
        await vi.waitFor(() => expect(received).toHaveLength(2), 60_000);
        const others = nodes.filter((node) => node.id !== id).map((node) => left(node.id));
        expect(received).toEqual(expect.arrayContaining(others));
      }
    });

    test('with a node id only that node gets it', async () => {
      await using testbed = await createTestbed();
      const [sender, receiver, other] = [
        await startNode(testbed),
        await startNode(testbed),
        await startNode(testbed),
      ];
      await sender.bus.send(left('direct'), receiver.id);
      await sender.bus.send(left('to nobody'), uniqueName('no-such-node'));
      await sender.bus.send(left('to itself'), sender.id);
      await sender.bus.send(left('all'));
      for (const node of [receiver, other]) {
        await vi.waitFor(() => expect(node.received).toContainEqual(left('all')), 60_000);
      }
      expect(receiver.received).toEqual([left('direct'), left('all')]);
      expect(other.received).toEqual([left('all')]);
      await other.bus.send(left('end'));
      await vi.waitFor(() => expect(sender.received).toEqual([left('end')]), 60_000);
    });

    test('what one sender sends to one node or to all is heard in order', async () => {
      await using testbed = await createTestbed();
      const [sender, receiver] = [await startNode(testbed), await startNode(testbed)];
      const sent = Array.from({ length: 200 }, (_, index) => left(`${index}`));
      await Promise.all(
        sent.map((message, index) =>
          sender.bus.send(message, index % 2 === 0 ? receiver.id : undefined),
        ),
      );
      await vi.waitFor(() => expect(receiver.received).toHaveLength(200), 60_000);
      for (const parity of [0, 1]) {
        const isOfKind = (message: NodeMessage): boolean => uidOf(message) % 2 === parity;
        expect(receiver.received.filter(isOfKind)).toEqual(sent.filter(isOfKind));
      }
    });

    test('a node that closed hears nothing, one that came later what is sent then', async () => {
      await using testbed = await createTestbed();
      const [sender, closed] = [await startNode(testbed), await startNode(testbed)];
      await closed.bus.close();
      await closed.bus.close();
      expect(closed.bus.problem()).toMatch(/./);
      await sender.bus.send(left('early'));
      const late = await startNode(testbed);
      await sender.bus.send(left('later'));
      await vi.waitFor(() => expect(late.received).toEqual([left('later')]), 60_000);
      expect(closed.received).toEqual([]);
    });
  });
}

function uidOf(message: NodeMessage): number {
  return message.type === 'node_left' ? Number(message.uid) : -1;
}
