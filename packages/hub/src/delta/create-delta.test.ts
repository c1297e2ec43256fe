import { Centrifuge as JsonClient } from 'centrifuge';
import { Centrifuge as ProtobufClient } from 'centrifuge/build/protobuf';
import * as fc from 'fast-check';
import { applyDelta } from 'fossil-delta';
import { describe, expect, test } from 'vitest';
import { createDelta } from './create-delta.ts';

interface Codec {
  applyDeltaIfNeeded(
    publication: { readonly data: unknown; readonly delta: boolean },
    previous: Uint8Array,
  ): { readonly newData: unknown; readonly newPrevValue: Uint8Array };
}

/** The decoder inside the client, which it has no public door to. */
function codecOf(client: JsonClient | ProtobufClient): Codec {
  return (client as unknown as { readonly _codec: Codec })._codec;
}

const jsonCodec = codecOf(new JsonClient('ws://127.0.0.1:9'));
const protobufCodec = codecOf(new ProtobufClient('ws://127.0.0.1:9'));

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What the independent decoders make of a patch, or the target when there is none. */
function decoded(base: Uint8Array, target: Uint8Array): readonly Uint8Array[] {
  const data = createDelta(base, target);
  if (!data) return [target];
  const { newPrevValue } = protobufCodec.applyDeltaIfNeeded({ data, delta: true }, base);
  return [applyDelta(base, data), new Uint8Array(newPrevValue)];
}

/** A document, and the same with some parts removed, replaced, repeated and moved. */
function edited<Item>(
  document: fc.Arbitrary<Item[]>,
  inserted: fc.Arbitrary<Item[]>,
): fc.Arbitrary<readonly [Item[], Item[]]> {
  const edit = fc.record({ at: fc.nat(), remove: fc.nat(12), insert: inserted, from: fc.nat() });
  return fc.tuple(document, fc.array(edit, { maxLength: 6 })).map(([before, edits]) => {
    const after = [...before];
    for (const { at, remove, insert, from } of edits) {
      const start = at % (after.length + 1);
      const copied = before.slice(from % (before.length + 1)).slice(0, remove * 4);
      after.splice(start, remove, ...insert, ...copied);
    }
    return [before, after] as const;
  });
}

function byteArrays(constraints: fc.IntArrayConstraints, max: number): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: 0, max }), constraints);
}

/** Numbers below `max` only: few of them make data that repeats itself a lot. */
function editedBytes(max: number): fc.Arbitrary<readonly [Uint8Array, Uint8Array]> {
  const document = byteArrays({ maxLength: 400 }, max);
  return edited(document, byteArrays({ maxLength: 20 }, max)).map(
    ([before, after]) => [Uint8Array.from(before), Uint8Array.from(after)] as const,
  );
}

const wideCharacters = fc.constantFrom('é', 'ü', '値', '倥', '😀', '😁', 'a', '"');

describe('every decoder gets the target back', () => {
  test.each([1, 3, 255])('from any bytes up to %i', (max) => {
    fc.assert(
      fc.property(editedBytes(max), ([base, target]) => {
        for (const result of decoded(base, target)) expect(result).toEqual(target);
      }),
      { numRuns: 300 },
    );
  });

  test('from unrelated bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (base, target) => {
        for (const result of decoded(base, target)) expect(result).toEqual(target);
      }),
    );
  });

  test('as a JSON string, whatever the characters', () => {
    const documents = edited(
      fc.array(wideCharacters, { maxLength: 200 }),
      fc.array(wideCharacters, { maxLength: 10 }),
    );
    let patches = 0;
    fc.assert(
      fc.property(documents, ([before, after]) => {
        const [base, target] = [before, after].map((characters) =>
          encode(JSON.stringify({ text: characters.join('') })),
        ) as [Uint8Array, Uint8Array];
        const patch = createDelta(base, target) ?? target;
        if (patch !== target) patches += 1;
        // Throws when a character was cut in two.
        const data = new TextDecoder('utf-8', { fatal: true }).decode(patch);
        const delta = patch !== target;
        const { newData } = jsonCodec.applyDeltaIfNeeded({ data, delta }, base);
        expect(newData).toEqual({ text: after.join('') });
      }),
      { numRuns: 500 },
    );
    expect(patches).toBeGreaterThan(100);
  });

  test('from documents larger than the memory used again', () => {
    const items = Array.from({ length: 6000 }, (_, index) => `{"id":${index},"x":${index % 7}}`);
    const base = encode(`[${items.join(',')}]`);
    const changed = items.with(3, '{"id":"first"}').with(5990, '{"id":"last"}');
    const target = encode(`[${changed.toSpliced(3000, 500).join(',')}]`);
    const patch = createDelta(base, target);
    expect(base.length).toBeGreaterThan(100_000);
    expect(patch?.length).toBeLessThan(200);
    for (const result of decoded(base, target)) expect(Buffer.compare(result, target)).toBe(0);
  });
});

describe('a patch is worth it', () => {
  test('is always shorter than the target', () => {
    fc.assert(
      fc.property(editedBytes(3), ([base, target]) => {
        expect(createDelta(base, target)?.length ?? -1).toBeLessThan(target.length);
      }),
    );
  });

  test.each([
    [
      '{"input":"hello world 1","time":1700000000000,"user":"alice"}',
      'a counter in the middle',
      35,
    ],
    ['{"input":"hello world 2","time":1700000000000,"user":"alice"}', 'nothing at all', 17],
    ['{"input":"hello world 2","time":1700000000001,"user":"alice"}', 'a time stamp', 40],
    ['{"input":"hello world 2","time":1700000000000,"user":"bob"}', 'the end', 28],
    ['{"result":"hello world 2","time":1700000000000,"user":"alice"}', 'the beginning', 30],
  ])('a small JSON document whose change is %s: %s', (before, _, most) => {
    const base = encode(before);
    const target = encode('{"input":"hello world 2","time":1700000000000,"user":"alice"}');
    expect(createDelta(base, target)?.length).toBeLessThanOrEqual(most);
    for (const result of decoded(base, target)) expect(result).toEqual(target);
  });

  test('a series of similar small publications is one full one and patches', () => {
    const patches = [40, 60, 100].flatMap((length) => {
      const document = (n: number): Uint8Array =>
        encode(JSON.stringify({ n, text: 'x'.repeat(length - 20), next: n + 1 }));
      return Array.from({ length: 9 }, (_, n) => createDelta(document(n), document(n + 1)));
    });
    expect(patches).not.toContain(undefined);
  });

  test('edits in several places cost what they change', () => {
    const items = Array.from({ length: 40 }, (_, index) => ({
      sku: `SKU-${(index * 7919) % 10_007}`,
      name: `Product number ${index}`,
      price: ((index * 37) % 997) / 10,
    }));
    const base = encode(JSON.stringify({ items }));
    for (const index of [2, 9, 20, 33]) items[index] = { ...items[index]!, price: 5000 + index };
    const target = encode(JSON.stringify({ items }));
    expect(target.length).toBeGreaterThan(2000);
    expect(createDelta(base, target)?.length).toBeLessThan(100);
  });

  test.each([
    ['', ''],
    ['', 'a new document'],
    ['an old document', ''],
    ['x', 'x'],
    ['{"n":1}', '{"n":2}'],
    ['{"count":1}', '{"count":1}'],
  ])('no patch from %j to %j', (base, target) => {
    expect(createDelta(encode(base), encode(target))).toBeUndefined();
  });

  test('time grows with the size on repetitive data', () => {
    const size = 400_000;
    const base = new Uint8Array(size).fill(97);
    const target = Uint8Array.from({ length: size }, (_, index) => (index % 11 === 0 ? 98 : 97));
    const started = performance.now();
    createDelta(base, target);
    // A quadratic search would compare 160 thousand million bytes here.
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

test('a patch is a new array, untouched by the next one', () => {
  const base = encode('a'.repeat(100));
  const first = createDelta(base, encode(`${'a'.repeat(100)}1`));
  const copy = first?.slice();
  createDelta(base, encode(`${'a'.repeat(100)}2`));
  expect(first).toEqual(copy);
});

test('arrays that are views of larger ones are read within their bounds', () => {
  const whole = encode('____{"input":"hello world 1","user":"alice"}____');
  const base = whole.subarray(4, -4);
  const target = encode('____{"input":"hello world 2","user":"alice"}____').subarray(4, -4);
  expect(decoded(base, target)).toEqual([target, target].map((bytes) => bytes.slice()));
});
