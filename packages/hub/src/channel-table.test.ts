import { expect, test } from 'vitest';
import { ChannelTable } from './channel-table.ts';
import { HubMetrics } from './metrics.ts';
import { Namespaces } from './namespaces.ts';
import { defaultChannelsOptions } from './channel-options.ts';
import { isRefusal } from './refusal.ts';
import type { Session } from './session.ts';
import { Subscription } from './subscription.ts';

/** Records what the table asks of its broker and answers when the test says so. */
class SlowBroker {
  readonly calls: string[] = [];
  readonly #answers: PromiseWithResolvers<void>[] = [];

  #ask(call: string): Promise<void> {
    this.calls.push(call);
    const answer = Promise.withResolvers<void>();
    this.#answers.push(answer);
    return answer.promise;
  }

  subscribe = (): Promise<void> => this.#ask('subscribe');
  unsubscribe = (): Promise<void> => this.#ask('unsubscribe');

  async answer(error?: Error): Promise<void> {
    const answer = this.#answers.shift();
    if (error === undefined) answer?.resolve();
    else answer?.reject(error);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function setUp() {
  const broker = new SlowBroker();
  const metrics = new HubMetrics();
  const failures: string[] = [];
  const table = new ChannelTable({
    source: broker,
    metrics,
    onDetachFailed: (channel) => failures.push(channel),
  });
  const rules = new Namespaces(defaultChannelsOptions).resolve('news');
  if (isRefusal(rules)) throw rules;
  const subscription = (): Subscription =>
    new Subscription({ session: {} as Session, channel: 'news', rules, isServerSide: false });
  return { broker, metrics, table, failures, subscription };
}

test('the first subscriber subscribes the node, the last one unsubscribes it', async () => {
  const { broker, metrics, table, subscription } = setUp();
  const [first, second] = [subscription(), subscription()];
  const attached = table.attach(first);
  await broker.answer();
  await attached;
  expect(table.attach(second)).toBeUndefined();
  table.detach(first);
  expect(broker.calls).toEqual(['subscribe']);
  table.detach(second);
  expect(broker.calls).toEqual(['subscribe', 'unsubscribe']);
  await broker.answer();
  expect(metrics).toMatchObject({ channels: 0, subscriptions: 0 });
});

test('whoever comes while the node is being subscribed waits for that', async () => {
  const { broker, table, subscription } = setUp();
  const first = table.attach(subscription());
  let isSecondAttached = false;
  const second = table.attach(subscription())?.then(() => (isSecondAttached = true));
  await Promise.resolve();
  expect(isSecondAttached).toBe(false);
  await broker.answer();
  await Promise.all([first, second]);
  expect(isSecondAttached).toBe(true);
  expect(broker.calls).toEqual(['subscribe']);
});

test('whoever comes while the node is being unsubscribed subscribes it again', async () => {
  const { broker, table, subscription } = setUp();
  const first = subscription();
  const attached = table.attach(first);
  await broker.answer();
  await attached;
  table.detach(first);
  const second = table.attach(subscription());
  await broker.answer();
  expect(broker.calls).toEqual(['subscribe', 'unsubscribe', 'subscribe']);
  await broker.answer();
  await second;
});

test('comes, goes and comes again in every order without losing the node', async () => {
  const { broker, metrics, table, subscription } = setUp();
  for (let round = 0; round < 20; round += 1) {
    const coming = subscription();
    const attached = table.attach(coming);
    if (round % 3 === 0) await broker.answer();
    table.detach(coming);
    if (round % 2 === 0) await broker.answer();
    attached?.catch(() => {});
  }
  const last = subscription();
  const attached = table.attach(last);
  for (let index = 0; index < 10; index += 1) await broker.answer();
  await attached;
  expect(broker.calls.at(-1)).toBe('subscribe');
  expect(metrics).toMatchObject({ channels: 1, subscriptions: 1 });
});

test('a broker that refuses leaves nothing behind', async () => {
  const { broker, metrics, table, subscription } = setUp();
  const reason = table.attach(subscription())?.catch((error: unknown) => error);
  await broker.answer(new Error('unreachable'));
  expect(await reason).toMatchObject({ message: 'unreachable' });
  expect(metrics).toMatchObject({ channels: 0, subscriptions: 0 });
});

test('an unsubscribe that fails is reported and repaired by the next subscribe', async () => {
  const { broker, table, failures, subscription } = setUp();
  const first = subscription();
  const attached = table.attach(first);
  await broker.answer();
  await attached;
  table.detach(first);
  await broker.answer(new Error('unreachable'));
  expect(failures).toEqual(['news']);
  const second = table.attach(subscription());
  expect(broker.calls).toEqual(['subscribe', 'unsubscribe', 'subscribe']);
  await broker.answer();
  await second;
});
