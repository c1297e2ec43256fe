import type { Command } from '@holdfast/protocol';
import { expect, test, vi } from 'vitest';
import { type CommandHost, CommandQueue } from './command-queue.ts';

function setUp({ concurrency = 0, limit = 100, maxPendingBytes = 1_000 } = {}) {
  const begun: number[] = [];
  const reading: boolean[] = [];
  const gates = new Map<number, () => void>();
  const host = {
    isBacklogged: false as boolean,
    perform({ id = 0 }: Command) {
      begun.push(id);
      const { promise, resolve } = Promise.withResolvers<void>();
      gates.set(id, resolve);
      return promise;
    },
    setReading: (isReading: boolean) => void reading.push(isReading),
    settled: vi.fn<() => void>(),
  } satisfies CommandHost;
  const queue = new CommandQueue({ concurrency, maxPendingCommands: limit, maxPendingBytes }, host);
  const finish = async (id: number): Promise<void> => {
    gates.get(id)?.();
    await Promise.resolve();
    await Promise.resolve();
  };
  return { queue, host, begun, reading, finish };
}

function commands(...ids: readonly number[]): readonly Command[] {
  return ids.map((id) => ({ id }));
}

test('one after the other, in order', async () => {
  const { queue, begun, finish } = setUp();
  queue.push(commands(1, 2), 10);
  queue.push(commands(3), 10);
  expect(begun).toEqual([1]);
  await finish(1);
  expect(begun).toEqual([1, 2]);
  await finish(2);
  await finish(3);
  expect(begun).toEqual([1, 2, 3]);
});

test('the first command is handled alone, the others as many at a time as allowed', async () => {
  const { queue, begun, finish } = setUp({ concurrency: 2 });
  queue.push(commands(1, 2, 3, 4), 10);
  expect(begun).toEqual([1]);
  await finish(1);
  expect(begun).toEqual([1, 2, 3]);
  await finish(3);
  expect(begun).toEqual([1, 2, 3, 4]);
});

test('reading stops while too much waits, and goes on when half of it is done', async () => {
  const { queue, reading, finish } = setUp({ limit: 4 });
  queue.push(commands(1, 2, 3, 4, 5), 10);
  expect(reading).toEqual([]);
  queue.push(commands(6), 10);
  expect(reading).toEqual([false]);
  await finish(1);
  await finish(2);
  expect(reading).toEqual([false]);
  await finish(3);
  expect(reading).toEqual([false, true]);
});

test('reading stops while too many bytes wait, and goes on when nothing waits', async () => {
  const { queue, reading, finish } = setUp({ maxPendingBytes: 100 });
  queue.push(commands(1), 101);
  expect(reading).toEqual([]);
  queue.push(commands(2), 60);
  queue.push(commands(3), 60);
  expect(reading).toEqual([false]);
  await finish(1);
  expect(reading).toEqual([false]);
  await finish(2);
  expect(reading).toEqual([false, true]);
  await finish(3);
  queue.push(commands(4), 60);
  queue.push(commands(5), 60);
  expect(reading).toEqual([false, true]);
  queue.push(commands(6), 60);
  expect(reading).toEqual([false, true, false]);
});

test('after clear nothing begins any more', async () => {
  const { queue, begun, finish } = setUp();
  queue.push(commands(1, 2), 10);
  queue.clear();
  await finish(1);
  expect(begun).toEqual([1]);
});

test('nothing is begun while replies wait for the client, and it goes on in order', async () => {
  const { queue, host, begun, finish } = setUp();
  queue.push(commands(1, 2, 3), 10);
  host.isBacklogged = true;
  await finish(1);
  queue.push(commands(4), 10);
  expect(begun).toEqual([1]);
  host.isBacklogged = false;
  queue.resume();
  expect(begun).toEqual([1, 2]);
  await finish(2);
  await finish(3);
  expect(begun).toEqual([1, 2, 3, 4]);
});

test('it is settled when the first command, and those that came before it was done, are done', async () => {
  const { queue, host, finish } = setUp();
  queue.push(commands(1, 2), 10);
  queue.push(commands(3), 10);
  await finish(1);
  queue.push(commands(4), 10);
  await finish(2);
  expect(host.settled).not.toHaveBeenCalled();
  await finish(3);
  expect(host.settled).toHaveBeenCalledTimes(1);
  await finish(4);
  expect(host.settled).toHaveBeenCalledTimes(1);
});

test('with nothing behind it, it is settled by the first command', async () => {
  const { queue, host, finish } = setUp();
  queue.push(commands(1), 10);
  await finish(1);
  expect(host.settled).toHaveBeenCalledTimes(1);
});
