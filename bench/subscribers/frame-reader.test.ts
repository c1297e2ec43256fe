import { describe, expect, test } from 'vitest';
import { serverTextFrame } from '../targets/server-frame.ts';
import { clientFrame, FrameReader } from './frame-reader.ts';

function readAll(stream: Buffer, step: number): readonly string[] {
  const reader = new FrameReader();
  const shared = Buffer.alloc(step);
  const seen: string[] = [];
  for (let at = 0; at < stream.length; at += step) {
    const length = stream.copy(shared, 0, at, at + step);
    reader.read(shared, length, (opcode, payload) => {
      seen.push(`${opcode}:${payload.toString()}`);
    });
  }
  return seen;
}

describe('FrameReader', () => {
  test.each([
    [200_000, 65_536],
    [65_536, 65_536],
    [1_000, 65_536],
    [7, 300],
    [1, 300],
  ])('finds every frame in steps of %i bytes', (step, longest) => {
    const texts = ['', 'a', 'x'.repeat(125), 'y'.repeat(126), 'z'.repeat(longest - 1)];
    texts.push('w'.repeat(longest), 'the last');
    const stream = Buffer.concat(texts.map(serverTextFrame));
    expect(readAll(stream, step)).toEqual(texts.map((text) => `1:${text}`));
  });

  test('refuses what no server under test sends: fragments, masks, reserved bits', () => {
    for (const head of [0x01, 0xc1]) {
      expect(() => readAll(Buffer.from([head, 0]), 2)).toThrow('Unexpected frame head');
    }
    expect(() => readAll(clientFrame(1, Buffer.from('hi')), 8)).toThrow('Unexpected frame head');
  });
});

test('clientFrame masks the payload and tells its length', () => {
  for (const size of [0, 5, 125, 126, 1_000]) {
    const payload = Buffer.alloc(size, 'holdfast');
    const frame = clientFrame(1, payload);
    const start = size < 126 ? 2 : 4;
    const mask = frame.subarray(start, start + 4);
    const unmasked = frame.subarray(start + 4).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
    expect(Buffer.from(unmasked)).toEqual(payload);
    expect((frame[1] ?? 0) & 0x80).toBe(0x80);
    expect(size < 126 ? (frame[1] ?? 0) & 0x7f : frame.readUInt16BE(2)).toBe(size);
  }
});
