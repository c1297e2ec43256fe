import { jsonCodec } from '@holdfast/protocol';
import { describe, expect, test } from 'vitest';
import { frame, FrameMemo, splitBatch } from './websocket-frame.ts';

describe('frame', () => {
  test.each([
    [0, [0x81, 0]],
    [125, [0x81, 125]],
    [126, [0x81, 126, 0, 126]],
    [65_535, [0x81, 126, 0xff, 0xff]],
    [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ])('a payload of %i bytes', (length, header) => {
    const framed = frame(Buffer.alloc(length, 7), false);
    expect([...framed.subarray(0, header.length)]).toEqual(header);
    expect(framed).toHaveLength(header.length + length);
  });

  test('binary frames say so', () => {
    expect(frame(Buffer.alloc(1), true)[0]).toBe(0x82);
  });
});

test('a batch is cut before a frame gets too long, never within a message', () => {
  const small = Buffer.alloc(30_000);
  const large = Buffer.alloc(100_000);
  expect(splitBatch([small, small, small, large, small]).map((part) => part.length)).toEqual([
    2, 1, 1, 1,
  ]);
});

describe('FrameMemo', () => {
  const [first, second] = [Buffer.from('{"id":1}'), Buffer.from('{"id":2}')];

  test('joins a batch into one frame', () => {
    const framed = new FrameMemo(jsonCodec).frame([first, second]);
    expect(framed.subarray(2).toString()).toBe('{"id":1}\n{"id":2}');
  });

  test('the same messages share one buffer, other messages never', () => {
    const memo = new FrameMemo(jsonCodec);
    const framed = memo.frame([first, second]);
    expect(memo.frame([first, second])).toBe(framed);
    expect(memo.frame([first]).subarray(2).toString()).toBe('{"id":1}');
    expect(memo.frame([Buffer.from(first)])).not.toBe(framed);
  });

  test('does not depend on the array, which its owner empties', () => {
    const memo = new FrameMemo(jsonCodec);
    const queue: Buffer[] = [first];
    memo.frame(queue);
    queue.length = 0;
    expect(memo.frame([first]).subarray(2).toString()).toBe('{"id":1}');
  });
});
