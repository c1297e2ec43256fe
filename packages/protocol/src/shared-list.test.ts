import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { codecFor, type Format, type Publication, type Reply, shareList } from './index.ts';
import { encodingsOf } from './shared-list.ts';
import { schemas } from './schema.ts';

const formats: readonly Format[] = ['json', 'protobuf'];

const publications = fc.array(
  fc
    .record({ data: fc.jsonValue(), offset: fc.nat(), tag: fc.string() })
    .map(({ data, offset, tag }): Publication => ({
      data: new TextEncoder().encode(JSON.stringify(data)),
      offset,
      tags: { tag },
    })),
  { maxLength: 6 },
);

test.each(formats)('%s: a shared list is encoded as any other, whoever gets it', (format) => {
  const codec = codecFor(format);
  const encode = (replies: readonly Reply[]) => replies.map((reply) => codec.encodeReply(reply));
  fc.assert(
    fc.property(publications, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), (list, ids) => {
      const shared = shareList([...list]);
      for (const id of ids) {
        const reply = (items: readonly Publication[]): Reply[] => [
          { id, subscribe: { publications: items, offset: id } },
          // The same list in another field.
          { id, subscribe: { epoch: 'x', state: items } },
          { id, history: { publications: items, epoch: 'y', offset: id } },
        ];
        const plain = reply([...list]);
        expect(encode(reply(shared))).toEqual(encode(plain));
      }
    }),
    { numRuns: 50 },
  );
});

test('the encoding is made once', () => {
  const list = shareList<Publication>([{ data: new TextEncoder().encode('1'), offset: 1 }]);
  const field = schemas.SubscribeResult.fieldsByName.get('publications');
  if (field === undefined) throw new Error('the schema has no such field');
  for (const format of formats) {
    codecFor(format).encodeReply({ id: 1, subscribe: { publications: list } });
    const first = encodingsOf(list, field)?.[format];
    expect(first).toBeDefined();
    codecFor(format).encodeReply({ id: 2, subscribe: { publications: list } });
    expect(encodingsOf(list, field)?.[format]).toBe(first);
  }
});

test('a list that cannot be JSON is refused each time', () => {
  const list = shareList<Publication>([{ data: new Uint8Array([0xff]), offset: 1 }]);
  const codec = codecFor('json');
  for (const id of [1, 2]) {
    expect(() => codec.encodeReply({ id, subscribe: { publications: list } })).toThrowError(
      expect.objectContaining({ code: 'payload_not_json' }),
    );
  }
});
