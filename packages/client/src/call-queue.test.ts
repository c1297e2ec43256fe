import { expect, test } from 'vitest';
import { CallQueue } from './call-queue.ts';
import { ClientError } from './client-error.ts';
import type { Environment } from './environment.ts';
import type { Call, Wire } from './wire.ts';

/** A wire whose answers the test gives, and a clock that it moves. */
function setUp({ maxSize = 10 } = {}) {
  const sent: { readonly data: unknown; readonly answer: PromiseWithResolvers<unknown> }[] = [];
  const timers: (() => void)[] = [];
  const connection = { status: 'connected' };
  const wire = {
    state: connection,
    call: async (call: Call & { readonly data?: unknown }) => {
      const answer = Promise.withResolvers<unknown>();
      sent.push({ data: call.data, answer });
      return answer.promise;
    },
  } as unknown as Wire;
  const environment = {
    after: (_delayMs: number, action: () => void) => {
      timers.push(action);
      return () => undefined;
    },
  } as unknown as Environment;
  const queue = new CallQueue({
    wire: () => wire,
    environment,
    limits: { maxSize, timeoutMs: 1_000 },
  });
  const publish = (data: unknown, retry = true, idempotencyKey?: string) =>
    queue.enqueue(
      { type: 'publish', channel: 'news', data },
      { retry, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) },
    );
  return { queue, publish, sent, timers, connection };
}

const lost = () => new ClientError('outcome_unknown', 'lost');

test('what lost its answer goes out again, in order, before what came later', async () => {
  const { queue, publish, sent, connection } = setUp();
  const results = [publish(1), publish(2)];
  connection.status = 'waiting';
  for (const { answer } of sent) answer.reject(lost());
  results.push(publish(3));
  await new Promise(setImmediate);
  connection.status = 'connected';
  queue.flush();
  expect(sent.map(({ data }) => data)).toEqual([1, 2, 1, 2, 3]);
  for (const { answer } of sent.slice(2)) answer.resolve({});
  await Promise.all(results);
  expect(queue.size).toBe(0);
});

test('at most once: an unknown outcome is told, and nothing is sent again', async () => {
  const { publish, sent } = setUp();
  const result = publish(1, false);
  sent[0]!.answer.reject(lost());
  await expect(result).rejects.toMatchObject({ code: 'outcome_unknown' });
  expect(sent).toHaveLength(1);
});

test('one key waits once, and is free again when it is settled', async () => {
  const { publish, sent } = setUp();
  const results = [publish('a', true, 'k'), publish('a', true, 'k')];
  expect(sent).toHaveLength(1);
  sent[0]!.answer.resolve({});
  await Promise.all(results);
  void publish('b', true, 'k');
  expect(sent.map(({ data }) => data)).toEqual(['a', 'b']);
});

test('the deadline settles it, and an answer that comes later changes nothing', async () => {
  const { publish, sent, timers, connection } = setUp();
  const inFlight = publish(1);
  connection.status = 'waiting';
  const waiting = publish(2);
  for (const expire of timers) expire();
  await expect(inFlight).rejects.toMatchObject({ code: 'outcome_unknown' });
  await expect(waiting).rejects.toMatchObject({ code: 'timed_out' });
  sent[0]!.answer.resolve({});
  expect(sent).toHaveLength(1);
});
