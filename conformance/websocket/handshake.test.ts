import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEchoHub, type EchoHub } from './echo-hub.ts';
import { frameOf, jsonEcho } from './echo-message.ts';
import { closePayload, encodeFrame, opcodes } from './frame.ts';
import {
  acceptFor,
  encodeRequest,
  makeKey,
  RawClient,
  type HandshakeRequest,
  type HandshakeResponse,
} from './raw-client.ts';

let hub: EchoHub;
beforeAll(async () => {
  hub = await startEchoHub({
    client: { allowedOrigins: ['https://app.example.com', 'https://*.example.org'] },
  });
});
afterAll(() => hub[Symbol.asyncDispose]());

async function shakeHands(request: HandshakeRequest): Promise<HandshakeResponse> {
  using client = new RawClient(hub.port);
  return await client.handshake(encodeRequest(hub.port, request));
}

/** The error code in the body of a refusal. */
function codeOf({ body }: HandshakeResponse): string {
  return (JSON.parse(body) as { readonly error: { readonly code: string } }).error.code;
}

describe('an accepted handshake', () => {
  test('is answered as §4.2.2 says, and offers nothing that was not asked for', async () => {
    const { status, headers } = await shakeHands({
      headers: { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' },
    });
    expect(status).toBe(101);
    expect(Object.fromEntries(headers)).toEqual({
      upgrade: 'websocket',
      connection: 'Upgrade',
      // The sample of §1.3.
      'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    });
  });

  test('proves that the key was read, whatever it is', async () => {
    for (let round = 0; round < 20; round += 1) {
      const key = makeKey();
      const { headers } = await shakeHands({ headers: { 'Sec-WebSocket-Key': key } });
      expect(headers.get('sec-websocket-accept')).toBe(acceptFor(key));
    }
  });

  const variants: readonly (readonly [string, HandshakeRequest])[] = [
    ['with a query', { target: '/connection/websocket?cf_protocol=json&x=%00' }],
    ['with an absolute request target (§3)', { target: 'http://hub.example/connection/websocket' }],
    ['with Upgrade in capitals', { headers: { Upgrade: 'WebSocket' } }],
    ['with Connection as Firefox sends it', { headers: { Connection: 'keep-alive, Upgrade' } }],
    ['with header names in lower case', { headers: { Upgrade: undefined, upgrade: 'websocket' } }],
    ['over HTTP/1.0, as a proxy makes it', { httpVersion: '1.0' }],
    ['with an extension that is not spoken', { headers: { 'Sec-WebSocket-Extensions': 'x-zip' } }],
    [
      'with compression, which is off',
      { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } },
    ],
    [
      'with 500 headers',
      {
        headers: Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`X-${index}`, 'x'])),
      },
    ],
  ];

  test.for(variants)('%s', async ([, request]) => {
    const { status, headers } = await shakeHands(request);
    expect(status).toBe(101);
    expect(headers.has('sec-websocket-extensions')).toBe(false);
  });

  test('may arrive byte by byte', async () => {
    using client = new RawClient(hub.port);
    const request = encodeRequest(hub.port);
    await client.sendInSteps(request.subarray(0, -1), 1);
    expect(await client.handshake(request.subarray(-1))).toMatchObject({ status: 101 });
  });

  test('may have frames behind it in the same segment', async () => {
    const message = jsonEcho('impatient');
    const connect = encodeFrame({ opcode: opcodes.text, payload: '{"id":1,"connect":{}}' });
    using client = await RawClient.open(hub.port, {
      head: Buffer.concat([connect, frameOf(message)]),
    });
    client.send(encodeFrame({ opcode: opcodes.close, payload: closePayload(1000) }));
    const frames = await client.untilEnd();
    const replies = frames.flatMap(({ payload }) => payload.toString().split('\n'));
    expect(replies[0]).toMatch(/^\{"id":1,"connect":/);
    expect(replies[1]).toBe(message.payload.toString());
  });

  test('may have a violation behind it in the same segment', async () => {
    using client = await RawClient.open(hub.port, { head: encodeFrame({ opcode: 0x3 }) });
    expect(await client.untilEnd()).toEqual([
      { opcode: opcodes.close, payload: closePayload(1002) },
    ]);
  });
});

describe('subprotocols', () => {
  const chosen: readonly (readonly [string, string, string])[] = [
    ['JSON', 'centrifuge-json', 'centrifuge-json'],
    ['Protobuf', 'centrifuge-protobuf', 'centrifuge-protobuf'],
    ['the first of both', 'centrifuge-protobuf, centrifuge-json', 'centrifuge-protobuf'],
    ['the known one', 'mqtt, centrifuge-json , graphql-ws', 'centrifuge-json'],
    [
      'one of very many',
      `${Array.from({ length: 500 }, (_, index) => `x${index}`).join()},centrifuge-json`,
      'centrifuge-json',
    ],
  ];

  test.for(chosen)('%s', async ([, offered, expected]) => {
    const { status, headers } = await shakeHands({
      headers: { 'Sec-WebSocket-Protocol': offered },
    });
    expect([status, headers.get('sec-websocket-protocol')]).toEqual([101, expected]);
  });

  test('in two headers are one list', async () => {
    const { headers } = await shakeHands({
      headers: { 'Sec-WebSocket-Protocol': ['mqtt', 'centrifuge-json'] },
    });
    expect(headers.get('sec-websocket-protocol')).toBe('centrifuge-json');
  });

  const refused = ['mqtt', 'centrifuge', 'CENTRIFUGE-JSON', 'constructor', '__proto__', 'toString'];

  test.for(refused)('%s is refused and not repeated', async (name) => {
    const response = await shakeHands({ headers: { 'Sec-WebSocket-Protocol': name } });
    expect(response.status).toBe(400);
    expect(codeOf(response)).toBe('unknown_subprotocol');
    expect(response.headers.has('sec-websocket-protocol')).toBe(false);
    expect(response.body).not.toContain(`${name}"`);
  });

  const malformed = [
    ['', 'unknown_subprotocol'],
    [',', 'unknown_subprotocol'],
    ['centrifuge-json centrifuge-protobuf', 'unknown_subprotocol'],
    ['centrifuge-json,', 'malformed_header'],
    ['centrifuge-json,centrifuge-json', 'malformed_header'],
  ] as const;

  test.for(malformed)('"%s" is malformed', async ([offered, code]) => {
    const response = await shakeHands({ headers: { 'Sec-WebSocket-Protocol': offered } });
    expect([response.status, codeOf(response)]).toEqual([400, code]);
  });
});

describe('a refused handshake', () => {
  const refusals: readonly (readonly [string, HandshakeRequest, number, string])[] = [
    ['POST', { method: 'POST' }, 405, 'method_not_allowed'],
    ['PUT', { method: 'PUT' }, 405, 'method_not_allowed'],
    ['DELETE', { method: 'DELETE' }, 405, 'method_not_allowed'],
    ['Upgrade: h2c', { headers: { Upgrade: 'h2c' } }, 426, 'upgrade_required'],
    ['Upgrade: websocket2', { headers: { Upgrade: 'websocket2' } }, 426, 'upgrade_required'],
    ['another path', { target: '/connection/other' }, 404, 'not_found'],
    ['a longer path', { target: '/connection/websocket/' }, 404, 'not_found'],
    ['a path in other letters', { target: '/Connection/WebSocket' }, 404, 'not_found'],
    ['the path in a query', { target: '/?/connection/websocket' }, 404, 'not_found'],
    ...['', '1', '12', '14', '013', '13.0', '+13', '-13', '13, 13', '8', 'thirteen'].map(
      (version) =>
        [
          `version "${version}"`,
          { headers: { 'Sec-WebSocket-Version': version } },
          426,
          'unsupported_websocket_version',
        ] as const,
    ),
    [
      'no version',
      { headers: { 'Sec-WebSocket-Version': undefined } },
      426,
      'unsupported_websocket_version',
    ],
    [
      'two versions',
      { headers: { 'Sec-WebSocket-Version': ['13', '8'] } },
      426,
      'unsupported_websocket_version',
    ],
    ['no key', { headers: { 'Sec-WebSocket-Key': undefined } }, 400, 'bad_websocket_key'],
    [
      'two keys',
      { headers: { 'Sec-WebSocket-Key': [makeKey(), makeKey()] } },
      400,
      'bad_websocket_key',
    ],
    ...[
      ['an empty key', ''],
      ['a key of 15 bytes', Buffer.alloc(15).toString('base64')],
      ['a key of 17 bytes', Buffer.alloc(17).toString('base64')],
      ['a key in base64url', Buffer.alloc(16, 0xff).toString('base64url')],
      ['a key without padding', makeKey().slice(0, -2)],
      ['a key that is no base64', '!!!!!!!!!!!!!!!!!!!!!!=='],
      ['a very long key', 'A'.repeat(5_000)],
    ].map(
      ([name = '', key]) =>
        [name, { headers: { 'Sec-WebSocket-Key': key } }, 400, 'bad_websocket_key'] as const,
    ),
  ];

  test.for(refusals)('%s', async ([, request, status, code]) => {
    const response = await shakeHands(request);
    expect(response.status).toBe(status);
    expect(codeOf(response)).toBe(code);
    expect(response.headers.get('connection')).toBe('close');
    expect(response.headers.has('sec-websocket-accept')).toBe(false);
  });

  test('for its version says which one is spoken (§4.4)', async () => {
    const { headers } = await shakeHands({ headers: { 'Sec-WebSocket-Version': '14' } });
    expect(headers.get('sec-websocket-version')).toBe('13');
  });

  test('for its method says which one is allowed', async () => {
    expect((await shakeHands({ method: 'POST' })).headers.get('allow')).toBe('GET');
  });

  const brokenHttp: readonly (readonly [string, HandshakeRequest, number])[] = [
    ['no Host', { headers: { Host: undefined } }, 400],
    ['a method in lower case', { method: 'get' }, 400],
    ['a header over 16 KB', { headers: { 'X-Long': 'x'.repeat(20_000) } }, 431],
    [
      'many headers over 16 KB',
      { headers: { 'X-Many': Array.from({ length: 1_000 }, () => 'x'.repeat(20)) } },
      431,
    ],
    ['a folded header', { headers: { 'X-Folded': 'one\r\n two' } }, 400],
    ['a control character in a header', { headers: { 'X-Control': 'a\u0000b' } }, 400],
    [
      'two ways to tell a length',
      { headers: { 'Transfer-Encoding': 'chunked', 'Content-Length': '3' } },
      400,
    ],
    ['HTTP/9.9', { httpVersion: '9.9' }, 400],
  ];

  test.for(brokenHttp)('%s', async ([, request, status]) => {
    expect((await shakeHands(request)).status).toBe(status);
  });

  test('leaves nothing behind and others alone', async () => {
    using other = await RawClient.open(hub.port);
    for (const [, request] of refusals) await shakeHands(request);
    other.send(encodeFrame({ opcode: opcodes.ping, payload: 'still here' }));
    expect((await other.nextFrame()).payload.toString()).toBe('still here');
    expect(hub.hub.metrics.connections).toBe(1);
    await other.close();
  });
});

describe('origins (§10.2)', () => {
  const allowed = [
    'https://app.example.com',
    'HTTPS://APP.EXAMPLE.COM',
    'https://one.example.org',
    'https://one.two.example.org',
  ];
  const refused = [
    '',
    'null',
    'https://example.com',
    'http://app.example.com',
    'https://app.example.com.evil.example',
    'https://evilapp.example.com',
    'https://app.example.com:8443',
    'https://app.example.com/',
    'https://app-example.com',
    'https://example.org',
    'https://evil.example/.example.org',
    'https://evil.example#.example.org',
    'https://evil.example?.example.org',
    String.raw`https://evil.example\.example.org`,
    'https://evil.example@one.example.org',
    'https://app.example.com https://evil.example',
    'file://',
  ];

  test.for(allowed)('%s may connect', async (origin) => {
    expect((await shakeHands({ headers: { Origin: origin } })).status).toBe(101);
  });

  test.for(refused)('"%s" may not', async (origin) => {
    const response = await shakeHands({
      headers: { Origin: origin, Cookie: 'session=stolen' },
    });
    expect([response.status, codeOf(response)]).toEqual([403, 'origin_not_allowed']);
  });

  test('two of them may not, whichever comes first', async () => {
    const good = 'https://app.example.com';
    for (const origins of [
      [good, 'https://evil.example'],
      ['https://evil.example', good],
    ]) {
      expect((await shakeHands({ headers: { Origin: origins } })).status).toBe(403);
    }
  });
});
