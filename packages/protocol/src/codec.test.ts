import { describe, expect, test } from 'vitest';
import { codecFor, type Command, type Reply } from './index.ts';

const utf8 = new TextEncoder();
const json = codecFor('json');
const protobuf = codecFor('protobuf');
const bytes = (text: string) => utf8.encode(text);
const text = (message: Uint8Array) => new TextDecoder().decode(message);

describe('JSON', () => {
  test('reads a batch, keeping the text of application data', () => {
    const frame = bytes(
      '{"id":1,"connect":{"token":"t","data":{"n": 9007199254740993,"e":1e400}}}\n' +
        '{"id":2,"subscribe":{"channel":"news","flag":1}}\n{}\n',
    );
    expect(json.decodeCommands(frame)).toEqual([
      { id: 1, connect: { token: 't', data: bytes('{"n": 9007199254740993,"e":1e400}') } },
      { id: 2, subscribe: { channel: 'news', flag: 1 } },
      {},
    ]);
  });

  test('writes pushes, results and pings as the protocol wants them', () => {
    const write = (reply: Reply) => text(json.encodeReply(reply));
    expect(write({})).toBe('{}');
    expect(write({ id: 2, subscribe: {} })).toBe('{"id":2,"subscribe":{}}');
    expect(write({ push: { channel: 'news', pub: { data: bytes('{"a":1}'), offset: 8 } } })).toBe(
      '{"push":{"channel":"news","pub":{"data":{"a":1},"offset":8}}}',
    );
    expect(write({ id: 1, history: {} })).toBe(
      '{"id":1,"history":{"publications":[],"epoch":"","offset":0}}',
    );
  });
});

describe('Protobuf', () => {
  test('writes the bytes that the encoding prescribes', () => {
    expect([...protobuf.encodeReply({})]).toEqual([0]);
    expect([...protobuf.encodeReply({ id: 300, publish: {} })]).toEqual([5, 8, 0xac, 2, 0x42, 0]);
  });

  test('reads back what it wrote', () => {
    const commands: Command[] = [
      { id: 1, connect: { data: bytes('x'.repeat(300)), subs: { a: { offset: 2 ** 53 - 1 } } } },
      { id: 2, history: { channel: 'ключ', limit: -1, since: { offset: 5, epoch: 'e' } } },
      {},
    ];
    const frame = protobuf.joinMessages(commands.map((command) => protobuf.encodeCommand(command)));
    expect(protobuf.decodeCommands(frame)).toEqual(commands);
  });
});
