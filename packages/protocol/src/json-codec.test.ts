import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Command, type ProtocolErrorCode, type Reply, jsonCodec } from './index.ts';
import { arbitraryCommand } from './testing/index.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array) => new TextDecoder('utf-8', { fatal: true }).decode(message);
const write = (reply: Reply) => text(jsonCodec.encodeReply(reply));
const read = (line: string) => jsonCodec.decodeCommands(bytes(line));
const failsAs = (code: ProtocolErrorCode) => expect.objectContaining({ code });

/** What comes out of a command that carries `data`, and goes into a push again. */
function relayed(data: string): string {
  const [command] = read(`{"id":1,"publish":{"channel":"a","data":${data}}}`);
  return write({ push: { pub: { data: command?.publish?.data ?? bytes('nothing') } } });
}

describe('writing', () => {
  test('leaves out what is zero', () => {
    expect(
      write({
        id: 0,
        push: {
          id: 0,
          channel: '',
          pub: { data: bytes(''), offset: -0, tags: {}, delta: false, score: 0 },
        },
      }),
    ).toBe('{"push":{"pub":{}}}');
    expect(write({ id: 1, subscribe: { publications: [], state: [], epoch: '' } })).toBe(
      '{"id":1,"subscribe":{}}',
    );
  });

  test('always writes what clients rely on', () => {
    const client = { user: '', client: '' };
    expect(write({ push: { join: { info: client } } })).toBe(
      '{"push":{"join":{"info":{"user":"","client":""}}}}',
    );
    expect(write({ id: 1, presence: {} })).toBe('{"id":1,"presence":{"presence":{}}}');
    expect(write({ id: 1, presence_stats: {} })).toBe(
      '{"id":1,"presence_stats":{"num_clients":0,"num_users":0}}',
    );
    expect(write({ id: 1, history: {} })).toBe(
      '{"id":1,"history":{"publications":[],"epoch":"","offset":0}}',
    );
  });

  test('embeds application data as the JSON that it is', () => {
    expect(write({ push: { channel: 'news', pub: { data: bytes('{"a":1}'), offset: 8 } } })).toBe(
      '{"push":{"channel":"news","pub":{"data":{"a":1},"offset":8}}}',
    );
    expect(write({ id: 1, rpc: { data: bytes('null') } })).toBe('{"id":1,"rpc":{"data":null}}');
  });

  test('takes line breaks out of application data, which would end the message', () => {
    const data = bytes('{\r\n  "a": [\n1,\r2 ],\n  "b": "\\n"\n}\n');
    expect(write({ id: 1, rpc: { data } })).toBe(
      '{"id":1,"rpc":{"data":{  "a": [1,2 ],  "b": "\\n"}}}',
    );
  });

  test.each(['{', 'undefined', "{'a':1}", '1 2', 'NaN', '01', '"\n"', '\uFEFF1', ' '])(
    'refuses application data that is not JSON: %j',
    (data) => {
      expect(() => write({ id: 1, rpc: { data: bytes(data) } })).toThrow(
        failsAs('payload_not_json'),
      );
    },
  );

  test('refuses application data that is not UTF-8', () => {
    const data = new Uint8Array([0x22, 0xff, 0x22]);
    expect(() => write({ id: 1, rpc: { data } })).toThrow(failsAs('payload_not_json'));
    expect(() => jsonCodec.encodePush({ pub: { prev_data: data } })).toThrow(
      failsAs('payload_not_json'),
    );
  });

  test('writes any string as one line of valid JSON and UTF-8', () => {
    const channel = '"\\\n\r\u0000\u2028\u{1F600}\uD800';
    const line = write({ push: { channel } });
    expect(line).not.toMatch(/[\n\r]/);
    expect(JSON.parse(line)).toEqual({ push: { channel } });
  });

  test('one line per message', () => {
    const messages = [{ id: 1, publish: {} }, {}, { id: 2, refresh: {} }].map((reply) =>
      jsonCodec.encodeReply(reply),
    );
    expect(text(jsonCodec.joinMessages(messages))).toBe(
      '{"id":1,"publish":{}}\n{}\n{"id":2,"refresh":{}}',
    );
  });
});

describe('application data stays what it was', () => {
  test.each([
    '9007199254740993',
    '-1.50E+400',
    '0.1000',
    '{"b":1,"a":2,"b":3}',
    '{ "a" : [ 1 , 2 ] }',
    String.raw`"\u0041\/\ud800 }],{["`,
    '{"__proto__":{"admin":true},"constructor":null}',
    'null',
    'false',
    '""',
  ])('%s', (data) => {
    expect(relayed(data)).toBe(`{"push":{"pub":{"data":${data}}}}`);
  });

  test('however deep it is', () => {
    const deep = '['.repeat(30_000) + ']'.repeat(30_000);
    expect(relayed(deep)).toBe(`{"push":{"pub":{"data":${deep}}}}`);
    const objects = '{"a":'.repeat(8000) + '1' + '}'.repeat(8000);
    expect(relayed(objects)).toBe(`{"push":{"pub":{"data":${objects}}}}`);
  });

  test('except line breaks, which stand only between tokens', () => {
    expect(read('{"rpc":{"data":[1,\r2]}}')).toEqual([{ rpc: { data: bytes('[1,2]') } }]);
    expect(relayed('[1,\r2]')).toBe('{"push":{"pub":{"data":[1,2]}}}');
  });
});

describe('reading', () => {
  test('a batch', () => {
    expect(
      read('{"id":1,"connect":{"token":"t"}}\n{"id":2,"subscribe":{"channel":"a"}}\n{}'),
    ).toEqual([{ id: 1, connect: { token: 't' } }, { id: 2, subscribe: { channel: 'a' } }, {}]);
  });

  test('white space wherever JSON has it', () => {
    expect(
      read(
        ' { "id" :\t1 ,\r"connect" : { "subs" : { "a" : { "offset" : 5 } , "b" : { } } } ,' +
          ' "sub_refresh" : { "untrack" : [ "x" , "y" ] , "track" : [ ] } } \r\n',
      ),
    ).toEqual([
      {
        id: 1,
        connect: { subs: { a: { offset: 5 }, b: {} } },
        sub_refresh: { untrack: ['x', 'y'], track: [] },
      },
    ]);
  });

  test('names and strings with escapes', () => {
    expect(read(String.raw`{"\u0069d":7,"subscribe":{"channel":"\"\u00e9\\\n"}}`)).toEqual([
      { id: 7, subscribe: { channel: '"é\\\n' } },
    ]);
  });

  test('fields that nobody knows are skipped, whatever they hold', () => {
    expect(
      read(
        '{"x":{"y":["}",{"id":9}]},"id":1,"__proto__":{"id":5},"toString":1,' +
          '"subscribe":{"channel":"a","new":[[]],"constructor":{}}}',
      ),
    ).toEqual([{ id: 1, subscribe: { channel: 'a' } }]);
    expect(({} as { id?: unknown }).id).toBeUndefined();
  });

  test('null is absent, except as application data', () => {
    expect(
      read(
        '{"id":null,"connect":null,"publish":{"channel":null,"data":null,"key":"k","removed":null},' +
          '"sub_refresh":{"untrack":null}}',
      ),
    ).toEqual([{ publish: { data: bytes('null'), key: 'k' }, sub_refresh: {} }]);
  });

  test('of duplicate keys the last one wins, as everywhere in JavaScript', () => {
    expect(
      read(
        '{"id":1,"publish":{"channel":"a","data":1,"key":"k"},"id":2,"connect":{},' +
          '"publish":{"data":{},"data":[2]},"connect":null}',
      ),
    ).toEqual([{ id: 2, publish: { data: bytes('[2]') } }]);
    expect(read('{"connect":{"headers":{"a":"1","a":"2"}}}')).toEqual([
      { connect: { headers: { a: '2' } } },
    ]);
  });

  test('names from strangers are names like all others', () => {
    const [command] = read(
      '{"connect":{"headers":{"__proto__":"x","constructor":"y"},"subs":{"__proto__":{"offset":1}}}}',
    );
    const { headers, subs } = command?.connect ?? {};
    expect(Object.entries(headers ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(Object.keys(subs ?? {})).toEqual(['__proto__']);
    expect(headers?.['toString']).toBeUndefined();
  });

  test('a line that is cut ends where it is cut', () => {
    const line = '{"id":1,"publish":{"channel":"a","data":{"b":["c",-1.5e3,true]}}}';
    for (let length = 1; length < line.length; length += 1) {
      expect(() => read(line.slice(0, length))).toThrow(failsAs('malformed'));
    }
  });

  test.each(['', '\n', ' ', '\r\n', '\n{}', '{}\n\n', '{}\n\n{}', '{}\n \n{}', '{}\n{}\n\n'])(
    'a blank line is refused: %j',
    (frame) => {
      expect(() => read(frame)).toThrow(failsAs('blank_frame'));
    },
  );

  test('one line feed may end a frame', () => {
    expect(read('{}\n')).toEqual([{}]);
    expect(read('{"id":1}\n{}\n')).toEqual([{ id: 1 }, {}]);
  });

  test.each(['{', '{}{}', '{"id":1,}', '{id:1}', '\uFEFF{}', '{"id":01}', '{"a":"\t"}', '{}\0'])(
    'what is not JSON is refused: %j',
    (frame) => {
      expect(() => read(frame)).toThrow(failsAs('malformed'));
    },
  );

  test('what is not UTF-8 is refused', () => {
    const frame = bytes('{"subscribe":{"channel":"é"}}').filter((byte) => byte !== 0xc3);
    expect(() => jsonCodec.decodeCommands(frame)).toThrow(failsAs('malformed'));
  });

  test.each([
    'null',
    '[]',
    '[{"id":1}]',
    '"{}"',
    '1',
    '{"id":"1"}',
    '{"id":1.5}',
    '{"id":1.0}',
    '{"id":1e3}',
    '{"id":-1}',
    '{"id":4294967296}',
    '{"id":1e999}',
    '{"id":true}',
    '{"id":{}}',
    '{"id":[1]}',
    '{"connect":[]}',
    '{"connect":""}',
    '{"connect":false}',
    '{"connect":{"subs":[]}}',
    '{"connect":{"subs":{"a":[]}}}',
    '{"connect":{"headers":{"a":1}}}',
    '{"connect":{"headers":{"a":null}}}',
    '{"connect":{"flag":9007199254740992}}',
    '{"subscribe":{"channel":1}}',
    '{"subscribe":{"channel":["a"]}}',
    '{"subscribe":{"offset":-1}}',
    '{"subscribe":{"offset":9007199254740992}}',
    '{"subscribe":{"offset":9007199254740993}}',
    '{"subscribe":{"offset":1e1}}',
    '{"subscribe":{"type":2147483648}}',
    '{"subscribe":{"recover":1}}',
    '{"subscribe":{"recover":"true"}}',
    '{"subscribe":{"tf":{"nodes":{}}}}',
    '{"subscribe":{"tf":{"nodes":[null]}}}',
    '{"subscribe":{"tf":{"vals":[1]}}}',
    '{"sub_refresh":{"untrack":"a"}}',
  ])('the wrong type is refused: %s', (frame) => {
    expect(() => read(frame)).toThrow(failsAs('wrong_type'));
  });

  test('the largest numbers are exact', () => {
    expect(
      read(
        '{"id":4294967295,"subscribe":{"offset":9007199254740991,"flag":-9007199254740991,' +
          '"limit":-2147483648,"type":2147483647}}',
      ),
    ).toEqual([
      {
        id: 2 ** 32 - 1,
        subscribe: {
          offset: Number.MAX_SAFE_INTEGER,
          flag: Number.MIN_SAFE_INTEGER,
          limit: -(2 ** 31),
          type: 2 ** 31 - 1,
        },
      },
    ]);
    const [command] = read('{"id":-0}');
    expect(Object.is(command?.id, 0)).toBe(true);
  });

  test('errors name the field and never quote what was sent', () => {
    const secret = 'eyJhbGciOi';
    for (const line of [`{"connect":{"token":"${secret}"`, `{"connect":{"token":["${secret}"]}}`]) {
      let message = '';
      try {
        read(line);
      } catch (error) {
        message = String(error);
      }
      expect(message).toMatch(/Command is not valid JSON|ConnectRequest.token must be a string/);
      expect(message).not.toContain(secret);
    }
  });

  test('what a reply lacks and always has is added', () => {
    const decode = (line: string) => jsonCodec.decodeReplies(bytes(line));
    expect(decode('{"id":1,"history":{}}')).toEqual([
      { id: 1, history: { publications: [], epoch: '', offset: 0 } },
    ]);
    expect(decode('{"push":{"join":{}}}')).toEqual([
      { push: { join: { info: { user: '', client: '' } } } },
    ]);
    expect(decode('{"error":{}}')).toEqual([{ error: { code: 0, message: '' } }]);
  });
});

describe('the emulation endpoint', () => {
  const decode = (body: string) => jsonCodec.decodeEmulation(bytes(body));

  test('data is a string that holds commands', () => {
    const request = decode('{"session":"s","node":"n","data":"{\\"id\\":1}\\n{\\"id\\":2}"}');
    expect(request).toEqual({ session: 's', node: 'n', data: bytes('{"id":1}\n{"id":2}') });
    const commands: Command[] = jsonCodec.decodeCommands(request.data ?? bytes(''));
    expect(commands).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test('the body may be indented', () => {
    expect(decode('{\n  "session": "s",\n  "data": "{}"\n}\n')).toEqual({
      session: 's',
      data: bytes('{}'),
    });
  });

  test.each(['{"data":{}}', '{"data":null}', '{"data":["{}"]}', '{"data":1}', '[]', '{"node":1}'])(
    'the wrong type is refused: %s',
    (body) => {
      expect(() => decode(body)).toThrow(failsAs('wrong_type'));
    },
  );

  test.each([
    ['', 'blank_frame'],
    ['{', 'malformed'],
    ['{}{}', 'malformed'],
  ] as const)('what is not one JSON object is refused: %j', (body, code) => {
    expect(() => decode(body)).toThrow(failsAs(code));
  });
});

/** A copy without application data, whose text would change when the text around it does. */
function withoutData(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return undefined;
  if (Array.isArray(value)) return value.map(withoutData);
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of Object.entries(value)) copy[name] = withoutData(member);
  return copy;
}

/** The same JSON with other spacing and the members of objects in another order. */
function rewritten(value: unknown, space: string): string {
  if (Array.isArray(value)) {
    return `[${space}${value.map((item) => rewritten(item, space)).join(`${space},`)}${space}]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .toReversed()
    .map(([name, member]) => `${JSON.stringify(name)}${space}:${space}${rewritten(member, space)}`);
  return `{${space}${members.join(`${space},${space}`)}${space}}`;
}

test('spacing, order and unknown fields mean nothing', () => {
  const space = fc.stringMatching(/^[ \t\r]{0,3}$/);
  fc.assert(
    fc.property(arbitraryCommand, space, fc.jsonValue(), (command, space, unknown) => {
      const expected = withoutData(command) as Command;
      const plain = JSON.parse(text(jsonCodec.encodeCommand(expected))) as object;
      const line = rewritten({ ...plain, unknown }, space);
      expect(read(`${space}${line}${space}`)).toEqual([expected]);
    }),
  );
});
