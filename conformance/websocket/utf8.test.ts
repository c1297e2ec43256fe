import { afterAll, beforeAll, describe } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import { fragmentsOf, frameOf, jsonEcho } from './echo-message.ts';
import { encodeFrame, opcodes } from './frame.ts';
import { testWireCases, type WireCase } from './wire-case.ts';

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub();
});
afterAll(() => hub[Symbol.asyncDispose]());

function codePoint(value: number): string {
  return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** First and last of each encoded length, the edges of the surrogate gap, and the byte order mark. */
const edges = [
  0x20, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xfffd, 0xffff, 0x10000, 0x10ffff,
];

const planes = Array.from({ length: 17 }, (_, plane) => plane);

const valid: readonly (readonly [string, string])[] = [
  ...edges.map((value) => [codePoint(value), String.fromCodePoint(value)] as const),
  ...planes.map(
    (plane) =>
      [
        `the noncharacters at the end of plane ${plane}`,
        String.fromCodePoint(plane * 0x10000 + 0xfffe, plane * 0x10000 + 0xffff),
      ] as const,
  ),
  ['the noncharacters in the middle of plane 0', '\u{fdd0}\u{fdef}'],
  ['Greek', 'Οὐχὶ ταὐτὰ παρίσταταί μοι'],
  ['Hebrew and Arabic', 'שלום وسلام'],
  ['Japanese', '昨日はありがとう'],
  ['emoji of several code points', '👩🏽‍🚀👨‍👩‍👧‍👦🏳️‍🌈'],
  ['combining marks', 'e\u{301}\u{323} a\u{30a}'],
  ['one character of each length', 'a\u{e9}\u{20ac}\u{1f30a}'],
];

const accepted = valid.flatMap(([name, text]): WireCase[] => {
  const whole = jsonEcho(text);
  const stepwise = jsonEcho(text);
  const fragmented = jsonEcho(text);
  const bytes = Buffer.from(text).length;
  const first = fragmented.payload.indexOf(text);
  const cuts = Array.from({ length: bytes + 1 }, (_, index) => first + index);
  return [
    {
      name,
      rule: '5.6',
      send: [frameOf(whole)],
      expect: { goesOn: { replies: [whole] } },
    },
    {
      name: `${name}, byte by byte`,
      rule: '5.6',
      send: [frameOf(stepwise)],
      stepBytes: 1,
      expect: { goesOn: { replies: [stepwise] } },
    },
    {
      name: `${name}, each byte in a fragment of its own`,
      rule: '5.6: a fragment may end inside a character',
      send: fragmentsOf(fragmented, cuts),
      expect: { goesOn: { replies: [fragmented] } },
    },
  ];
});

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

function range(first: number, last: number): Buffer {
  return Buffer.from(Array.from({ length: last - first + 1 }, (_, index) => first + index));
}

/** Every byte of the range, each followed by a space, so that none has what it announces. */
function lonely(first: number, last: number): Buffer {
  return Buffer.from([...range(first, last)].flatMap((byte) => [byte, 0x20]));
}

/** RFC 3629 §3 and §4: which sequences of bytes are no UTF-8. */
const invalid: readonly (readonly [string, Buffer])[] = [
  ['a lone first continuation byte', hex('80')],
  ['a lone last continuation byte', hex('bf')],
  ...[2, 3, 4, 5, 6].map(
    (count) => [`${count} continuation bytes`, Buffer.alloc(count, 0x80)] as const,
  ),
  ['all 64 continuation bytes', range(0x80, 0xbf)],
  ['lonely starts of two bytes', lonely(0xc2, 0xdf)],
  ['lonely starts of three bytes', lonely(0xe0, 0xef)],
  ['lonely starts of four bytes', lonely(0xf0, 0xf4)],
  ['lonely starts of five bytes', lonely(0xf8, 0xfb)],
  ['lonely starts of six bytes', lonely(0xfc, 0xfd)],
  ['two bytes without the last', hex('c3 20')],
  ['three bytes without the last', hex('e2 82 20')],
  ['four bytes without the last', hex('f0 9f 8c 20')],
  ['U+07FF without the last byte', hex('df 20')],
  ['U+FFFF without the last byte', hex('ef bf 20')],
  ['U+10FFFF without the last byte', hex('f4 8f bf 20')],
  ['all truncated sequences in a row', hex('c3 e2 82 f0 9f 8c')],
  ['a start inside a sequence', hex('e2 c3 a9')],
  ['one continuation byte too many', hex('c3 a9 a9')],
  ['byte FE', hex('fe')],
  ['byte FF', hex('ff')],
  ['bytes FE FE FF FF', hex('fe fe ff ff')],
  ['overlong slash in two bytes', hex('c0 af')],
  ['overlong slash in three bytes', hex('e0 80 af')],
  ['overlong slash in four bytes', hex('f0 80 80 af')],
  ['overlong slash in five bytes', hex('f8 80 80 80 af')],
  ['overlong slash in six bytes', hex('fc 80 80 80 80 af')],
  ['the greatest overlong of two bytes', hex('c1 bf')],
  ['the greatest overlong of three bytes', hex('e0 9f bf')],
  ['the greatest overlong of four bytes', hex('f0 8f bf bf')],
  ['the greatest overlong of five bytes', hex('f8 87 bf bf bf')],
  ['the greatest overlong of six bytes', hex('fc 83 bf bf bf bf')],
  ['overlong NUL in two bytes', hex('c0 80')],
  ['overlong NUL in three bytes', hex('e0 80 80')],
  ['overlong NUL in four bytes', hex('f0 80 80 80')],
  ['the first high surrogate', hex('ed a0 80')],
  ['the last high surrogate', hex('ed af bf')],
  ['the first low surrogate', hex('ed b0 80')],
  ['the last low surrogate', hex('ed bf bf')],
  ['the first surrogate pair', hex('ed a0 80 ed b0 80')],
  ['the last surrogate pair', hex('ed af bf ed bf bf')],
  ['surrogates the wrong way round', hex('ed b0 80 ed a0 80')],
  ['U+110000', hex('f4 90 80 80')],
  ['U+13FFFF', hex('f4 bf bf bf')],
  ['U+140000', hex('f5 80 80 80')],
  ['U+1FFFFF', hex('f7 bf bf bf')],
  ['U+200000 in five bytes', hex('f8 88 80 80 80')],
  ['U+3FFFFFF in five bytes', hex('fb bf bf bf bf')],
  ['U+4000000 in six bytes', hex('fc 84 80 80 80 80')],
  ['U+7FFFFFFF in six bytes', hex('fd bf bf bf bf bf')],
];

const text = (payload: Uint8Array, fin = true): Buffer =>
  encodeFrame({ opcode: opcodes.text, payload, fin });
const continuation = (payload: Uint8Array | string, fin = true): Buffer =>
  encodeFrame({ opcode: opcodes.continuation, payload, fin });

const refused = invalid.flatMap(([name, bytes]): WireCase[] => {
  const message = jsonEcho(Buffer.concat([Buffer.from('good '), bytes, Buffer.from(' good')]));
  const inside = message.payload.indexOf(bytes) + 1;
  return [
    {
      name: `${name}, in a whole message`,
      rule: '8.1',
      send: [frameOf(message)],
      expect: { fails: 1007 },
    },
    {
      name: `${name}, at the end of a message`,
      rule: '8.1',
      send: [text(Buffer.concat([Buffer.from('{"id":'), bytes]))],
      expect: { fails: 1007 },
    },
    {
      name: `${name}, in the last of three fragments`,
      rule: '8.1',
      send: [text(Buffer.from('{'), false), continuation('"id":', false), continuation(bytes)],
      expect: { fails: 1007 },
    },
    {
      name: `${name}, in the first of two fragments`,
      rule: '8.1',
      send: [text(bytes, false), continuation('good')],
      expect: { fails: 1007 },
    },
    {
      name: `${name}, cut by the end of a fragment`,
      rule: '8.1',
      send: fragmentsOf(message, [inside]),
      expect: { fails: 1007 },
    },
    {
      name: `${name}, byte by byte`,
      rule: '8.1',
      send: [frameOf(message)],
      stepBytes: 1,
      expect: { fails: 1007 },
    },
  ];
});

/** A character that begins and does not end before the message does. */
const unfinished = [
  ['two bytes', '\u{e9}'],
  ['three bytes', '\u{20ac}'],
  ['four bytes', '\u{1f30a}'],
].flatMap(([name, character = '']): WireCase[] => {
  const bytes = Buffer.from(character);
  return Array.from({ length: bytes.length - 1 }, (_, index): WireCase[] => {
    const part = bytes.subarray(0, index + 1);
    const end = `${index + 1} of ${name as string}`;
    return [
      {
        name: `a message that ends after ${end}`,
        rule: '8.1',
        send: [text(part)],
        expect: { fails: 1007 },
      },
      {
        name: `a fragmented message that ends after ${end}`,
        rule: '8.1',
        send: [text(Buffer.from('{"'), false), continuation(part)],
        expect: { fails: 1007 },
      },
    ];
  }).flat();
});

describe('valid UTF-8', () => {
  testWireCases(accepted, () => hub);
});
describe('invalid UTF-8', () => {
  testWireCases([...refused, ...unfinished], () => hub);
});
