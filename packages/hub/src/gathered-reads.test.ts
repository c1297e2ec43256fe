import { expect, test, vi } from 'vitest';
import { GatheredReads } from './gathered-reads.ts';

interface Read {
  readonly questions: readonly string[];
  resolve(): void;
  reject(error: Error): void;
}

function setUp() {
  const reads: Read[] = [];
  const deferred: (() => void)[] = [];
  const resting: (() => void)[] = [];
  const gathered = new GatheredReads<string, string>(
    (key, questions) =>
      new Promise((resolve, reject) => {
        reads.push({
          questions,
          resolve: () => resolve(questions.map((question) => `${key}:${question}`)),
          reject,
        });
      }),
    { defer: (work) => deferred.push(work), rest: (work) => resting.push(work) },
  );
  const endOfTick = async (): Promise<void> => {
    for (const work of deferred.splice(0)) work();
    await Promise.resolve();
  };
  const endOfRest = async (): Promise<void> => {
    await vi.waitFor(() => expect(resting).not.toEqual([]));
    for (const work of resting.splice(0)) work();
  };
  return { gathered, reads, endOfTick, endOfRest };
}

test('what is asked within a tick is one read, with an answer for each', async () => {
  const { gathered, reads, endOfTick } = setUp();
  const answers = Promise.all([gathered.ask('a', 'one'), gathered.ask('a', 'two')]);
  expect(reads).toEqual([]);
  await endOfTick();
  expect(reads.map(({ questions }) => questions)).toEqual([['one', 'two']]);
  reads[0]?.resolve();
  expect(await answers).toEqual(['a:one', 'a:two']);
});

test('whoever asks while a read is under way, or rests, waits for the next one', async () => {
  const { gathered, reads, endOfTick, endOfRest } = setUp();
  const first = gathered.ask('a', 'early');
  await endOfTick();
  const late = gathered.ask('a', 'late');
  await endOfTick();
  expect(reads).toHaveLength(1);
  reads[0]?.resolve();
  expect(await first).toBe('a:early');
  const later = Promise.all([late, gathered.ask('a', 'later')]);
  await endOfTick();
  expect(reads).toHaveLength(1);
  await endOfRest();
  expect(reads[1]?.questions).toEqual(['late', 'later']);
  reads[1]?.resolve();
  expect(await later).toEqual(['a:late', 'a:later']);
});

test('keys do not wait for each other', async () => {
  const { gathered, reads, endOfTick } = setUp();
  void gathered.ask('a', 'one');
  await endOfTick();
  void gathered.ask('b', 'two');
  await endOfTick();
  expect(reads.map(({ questions }) => questions)).toEqual([['one'], ['two']]);
});

test('a failed read fails its own questions, and no others', async () => {
  const { gathered, reads, endOfTick, endOfRest } = setUp();
  const first = gathered.ask('a', 'one');
  await endOfTick();
  const second = gathered.ask('a', 'two');
  reads[0]?.reject(new Error('the broker is away'));
  await expect(first).rejects.toThrowError('the broker is away');
  await endOfRest();
  reads[1]?.resolve();
  expect(await second).toBe('a:two');
});

test('a key that nobody asks about any more is forgotten', async () => {
  const { gathered, reads, endOfTick, endOfRest } = setUp();
  const answer = gathered.ask('a', 'one');
  await endOfTick();
  reads[0]?.resolve();
  await answer;
  await endOfRest();
  void gathered.ask('a', 'two');
  // A read that begins on its own, and not with the end of the one before.
  expect(reads).toHaveLength(1);
  await endOfTick();
  expect(reads).toHaveLength(2);
});
