import { expect, test } from 'vitest';
import { MemoryBus, type MemoryBusPeers } from './memory-bus.ts';
import type { NodeBus, NodeMessage } from '../ports/node-bus.ts';
import { describeNodeBus } from '../testing/describe-node-bus.ts';
import type { PortTestbed } from '../testing/port-testbed.ts';

async function createTestbed(): Promise<PortTestbed<NodeBus>> {
  const peers: MemoryBusPeers = new Map();
  const buses: MemoryBus[] = [];
  return {
    async addNode() {
      const bus = new MemoryBus(peers);
      buses.push(bus);
      return bus;
    },
    advance: async () => undefined,
    async [Symbol.asyncDispose]() {
      await Promise.all(buses.map((bus) => bus.close()));
      expect(peers.size).toBe(0);
    },
  };
}

describeNodeBus('MemoryBus', createTestbed);

test('a second node with the same id is refused', async () => {
  const peers: MemoryBusPeers = new Map();
  await new MemoryBus(peers).start('n1', () => undefined);
  await expect(new MemoryBus(peers).start('n1', () => undefined)).rejects.toThrow('n1');
});

test('what a receiver changes stays its own', async () => {
  const peers: MemoryBusPeers = new Map();
  const received: NodeMessage[] = [];
  await new MemoryBus(peers).start('receiver', (message) => received.push(message));
  const sender = new MemoryBus(peers);
  await sender.start('sender', () => undefined);
  const params = new Uint8Array([1]);
  const message = { type: 'request', id: 'r', from: 'sender', method: 'm', params } as const;
  await sender.send(message);
  params[0] = 2;
  expect(received).toEqual([{ ...message, params: new Uint8Array([1]) }]);
});
