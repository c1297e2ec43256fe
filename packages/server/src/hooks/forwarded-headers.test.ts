import { describe, expect, test } from 'vitest';
import { ForwardedHeaders } from './forwarded-headers.ts';
import { type HookProxyOptions, resolveProxyOptions } from './options.ts';

const endpoint = 'http://127.0.0.1';
function make(options: Partial<HookProxyOptions>, authorization?: string): ForwardedHeaders {
  const proxy = resolveProxyOptions({ ...options, endpoint });
  return new ForwardedHeaders({ ...proxy, authorization, key: 'k' });
}

const fixed = { 'content-type': 'application/json', 'user-agent': 'holdfast' };

describe('forwarded headers', () => {
  test('nothing of the client is sent unless it is listed', () => {
    const headers = make({});
    const sent = headers.build({
      http: { cookie: 'session=1', authorization: 'Bearer x' },
      emulated: { Authorization: 'Bearer y' },
    });
    expect({ ...sent }).toEqual(fixed);
  });

  test('each kind goes through its own list, in any case', () => {
    const options = {
      httpHeaders: ['Cookie', 'X-Request-Id'],
      emulatedHeaders: ['AUTHORIZATION'],
    };
    const sent = make(options).build({
      http: { cookie: 'session=1', authorization: 'from the proxy', 'x-other': 'no' },
      emulated: { authorization: 'Bearer y', cookie: 'forged=1', 'X-Request-Id': 'forged' },
    });
    expect({ ...sent }).toEqual({ ...fixed, cookie: 'session=1', authorization: 'Bearer y' });
  });

  test('HTTP headers win over emulated ones, both over static ones', () => {
    const options = {
      httpHeaders: ['a'],
      emulatedHeaders: ['a', 'b'],
      staticHeaders: { A: 'static', B: 'static', C: 'static' },
    };
    const sent = make(options, 'Basic dTpw').build({
      http: { a: 'http' },
      emulated: { a: 'emulated', b: 'emulated' },
    });
    expect({ ...sent }).toEqual({
      ...fixed,
      authorization: 'Basic dTpw',
      a: 'http',
      b: 'emulated',
      c: 'static',
    });
  });

  test('headers of the hop and of our body are never taken from a client', () => {
    const options = {
      httpHeaders: ['Host', 'Content-Length', 'x-fine'],
      emulatedHeaders: ['Transfer-Encoding', 'Content-Type'],
    };
    const headers = make(options);
    expect(headers.ignoredNames).toEqual([
      'host',
      'content-length',
      'transfer-encoding',
      'content-type',
    ]);
    const sent = headers.build({
      http: { host: 'evil', 'content-length': '1', 'x-fine': '1' },
      emulated: { 'transfer-encoding': 'chunked', 'content-type': 'text/plain' },
    });
    expect({ ...sent }).toEqual({ ...fixed, 'x-fine': '1' });
  });

  test.each(['a\r\nX-Admin: 1', 'a\nb', '\u{1F600}', '\0'])(
    'an emulated value that would break the request is refused: %j',
    (value) => {
      const options = { emulatedHeaders: ['x'] };
      const headers = make(options);
      expect(headers.build({ http: {}, emulated: { x: value } })).toBeUndefined();
    },
  );

  test('names on the prototype are no headers', () => {
    const options = { httpHeaders: ['constructor', '__proto__'] };
    const sent = make(options).build({ http: {}, emulated: {} });
    expect({ ...sent }).toEqual(fixed);
  });

  test('configuration that cannot be sent is refused, without its value', () => {
    const options = { staticHeaders: { 'X-Key': 'secret\n' } };
    expect(() => make(options)).toThrow("k.http.static_headers: 'X-Key' is no valid HTTP header");
    expect(() => make({ httpHeaders: ['a b'] })).toThrow(
      "k.http_headers: 'a b' is no valid HTTP header",
    );
  });
});
