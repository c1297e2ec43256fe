import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryStream } from './memory-stream.ts';

/** The simplest thing that could be a stream: every publication ever, and which of them are kept. */
class StreamModel {
  offsets: number[] = [];
  top = 0;
  deadline = 0;

  expire(now: number): void {
    if (now >= this.deadline) this.offsets = [];
  }

  append(now: number, size: number, ttlMs: number): void {
    this.expire(now);
    this.top += 1;
    this.offsets = [...this.offsets, this.top].slice(-size);
    this.deadline = now + ttlMs;
  }

  read(since: number | undefined, limit: number, reverse: boolean): readonly number[] {
    const found = reverse
      ? this.offsets.filter((offset) => offset < (since ?? Infinity)).toReversed()
      : this.offsets.filter((offset) => offset > (since ?? 0));
    return limit < 0 ? found : found.slice(0, limit);
  }
}

interface Subject {
  readonly stream: MemoryStream;
  readonly model: StreamModel;
  now: number;
}

/** Does the same to both; what each of them says must be equal. */
type Step = (subject: Subject) => readonly [actual: unknown, expected: unknown];

const append = fc
  .record({
    times: fc.integer({ min: 1, max: 50 }),
    size: fc.integer({ min: 1, max: 60 }),
    ttlMs: fc.integer({ min: 1, max: 20 }),
  })
  .map(({ times, size, ttlMs }): Step => {
    return ({ stream, model, now }) => {
      const offsets: number[] = [];
      for (let count = 0; count < times; count += 1) {
        offsets.push(stream.append({}, 1, { now, size, deadline: now + ttlMs }).offset);
        model.append(now, size, ttlMs);
      }
      return [offsets, Array.from({ length: times }, (_, index) => model.top - times + index + 1)];
    };
  });

const read = fc
  .record({
    since: fc.option(fc.nat(200), { nil: undefined }),
    limit: fc.integer({ min: -1, max: 70 }),
    reverse: fc.boolean(),
  })
  .map(({ since, limit, reverse }): Step => {
    return ({ stream, model, now }) => {
      const start = since === undefined ? {} : { sinceOffset: since };
      const found = stream.read({ ...start, reverse, limit }, now);
      model.expire(now);
      return [found.map(({ offset }) => offset), model.read(since, limit, reverse)];
    };
  });

const wait = fc.nat(15).map((ms): Step => {
  return (subject) => {
    subject.now += ms;
    return [0, 0];
  };
});

const clear = fc.constant<Step>(({ stream, model }) => {
  stream.clear();
  model.offsets = [];
  return [0, 0];
});

const dropOldest = fc.constant<Step>(({ stream, model, now }) => {
  stream.expire(now);
  model.expire(now);
  const wasLong = model.offsets.length > 1;
  if (wasLong) model.offsets.shift();
  return [stream.dropOldest(), wasLong];
});

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: append },
    { weight: 6, arbitrary: read },
    { weight: 2, arbitrary: wait },
    { weight: 1, arbitrary: clear },
    { weight: 1, arbitrary: dropOldest },
  ),
  { maxLength: 60 },
);

test('a stream is the newest publications of an array, whatever is done to it', () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const subject: Subject = { stream: new MemoryStream('e'), model: new StreamModel(), now: 0 };
      const { stream, model } = subject;
      const emptyBytes = stream.bytes;
      for (const step of steps) {
        const [actual, expected] = step(subject);
        expect(actual).toEqual(expected);
        model.expire(subject.now);
        expect(stream.position).toEqual({ offset: model.top, epoch: 'e' });
        expect(stream.latest(subject.now)?.offset).toBe(model.offsets.at(-1));
        expect(stream.length).toBe(model.offsets.length);
        // Publications without data: the charge tells how many are accounted for.
        expect(stream.bytes - emptyBytes).toBe(model.offsets.length * 300);
      }
    }),
  );
});

test('keeps the time of a publication that has one, and gives one to others', () => {
  const stream = new MemoryStream('epoch');
  const keep = { now: 0, size: 9, deadline: 9 };
  expect(stream.append({ time: 5 }, 7, keep).time).toBe(5);
  expect(stream.append({}, 7, keep).time).toBe(7);
});
