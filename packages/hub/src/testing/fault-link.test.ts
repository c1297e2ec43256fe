import { expect, test } from 'vitest';
import { kept } from './broker-testbed.ts';
import type { FaultLink } from './fault-link.ts';
import { createMemoryNetwork } from './memory-network.ts';
import { bytes, text } from './port-testbed.ts';
import { RecordedEvents } from './recorded-events.ts';

async function pair(): Promise<{
  readonly publish: (data: string) => Promise<void>;
  readonly link: FaultLink;
  readonly near: RecordedEvents;
  readonly far: RecordedEvents;
}> {
  const network = createMemoryNetwork();
  const [nearNode, farNode] = [network.addNode(), network.addNode()];
  const [near, far] = [new RecordedEvents(), new RecordedEvents()];
  await nearNode.broker.start(near);
  await farNode.broker.start(far);
  await nearNode.broker.subscribe('x');
  await farNode.broker.subscribe('x');
  return {
    publish: async (data) => {
      await nearNode.broker.publish('x', { data: bytes(data) }, kept);
    },
    link: farNode.link,
    near,
    far,
  };
}

test('loses what it is told to lose, for one node only', async () => {
  const { publish, link, near, far } = await pair();
  link.dropNext();
  for (const data of ['1', '2']) await publish(data);
  link.drop();
  for (const data of ['3', '4']) await publish(data);
  link.restore();
  await publish('5');
  expect(far.dataOf('x')).toEqual(['2', '5']);
  expect(near.dataOf('x')).toEqual(['1', '2', '3', '4', '5']);
  expect(link.dropped).toBe(3);
});

test('holds deliveries back and lets them through in order, also what they cause', async () => {
  const { publish, link, near, far } = await pair();
  link.hold();
  for (const data of ['1', '2', '3']) await publish(data);
  expect(far.publications).toEqual([]);
  const publication = far.publication.bind(far);
  const answers: Promise<void>[] = [];
  far.publication = (event) => {
    if (text(event.publication.data) === '1') answers.push(publish('answer'));
    publication(event);
  };
  link.restore();
  await Promise.all(answers);
  expect(far.dataOf('x')).toEqual(['1', '2', '3', 'answer']);
  expect(near.dataOf('x')).toEqual(['1', '2', '3', 'answer']);
});

test('acts on messages of the bus too', async () => {
  const network = createMemoryNetwork();
  const [sender, receiver] = [network.addNode(), network.addNode()];
  const received: string[] = [];
  await sender.bus.start('sender', () => undefined);
  await receiver.bus.start('receiver', (message) => received.push(message.type));
  receiver.link.drop();
  await sender.bus.send({ type: 'node_left', uid: 'x' });
  await Promise.resolve();
  receiver.link.restore();
  await sender.bus.send({ type: 'refresh', selector: { user: 'u' } });
  await Promise.resolve();
  expect(received).toEqual(['refresh']);
});
