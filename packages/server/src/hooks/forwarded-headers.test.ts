import { describe, expect, test } from 'vitest';
import { ForwardedHeaders } from './forwarded-headers.ts';
import { resolveProxyOptions } from './options.ts';

const endpoint = 'http://127.0.0.1';
const fixed = { 'content-type': 'application/json', 'user-agent': 'holdfast' };

describe('forwarded headers', () => {
  test('nothing of the client is sent unless it is listed', () => {
    const headers = new ForwardedHeaders(resolveProxyOptions({ endpoint }), undefined);
    const sent = headers.build({
      http: { cookie: 'session=1', authorization: 'Bearer x' },
      emulated: { Authorization: 'Bearer y' },
    });
    expect({ ...sent }).toEqual(fixed);
  });

  test('each kind goes through its own list, in any case', () => {
    const options = resolveProxyOptions({
      endpoint,
      httpHeaders: ['Cookie', 'X-Request-Id'],
      emulatedHeaders: ['AUTHORIZATION'],
    });
    const sent = new ForwardedHeaders(options, undefined).build({
      http: { cookie: 'session=1', authorization: 'from the proxy', 'x-other': 'no' },
      emulated: { authorization: 'Bearer y', cookie: 'forged=1', 'X-Request-Id': 'forged' },
    });
    expect({ ...sent }).toEqual({ ...fixed, cookie: 'session=1', authorization: 'Bearer y' });
  });

  test('HTTP headers win over emulated ones, both over static ones', () => {
    const options = resolveProxyOptions({
      endpoint,
      httpHeaders: ['a'],
      emulatedHeaders: ['a', 'b'],
      staticHeaders: { A: 'static', B: 'static', C: 'static' },
    });
    const sent = new ForwardedHeaders(options, 'Basic dTpw').build({
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
    const options = resolveProxyOptions({
      endpoint,
      httpHeaders: ['Host', 'Content-Length', 'x-fine'],
      emulatedHeaders: ['Transfer-Encoding', 'Content-Type'],
    });
    const headers = new ForwardedHeaders(options, undefined);
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
      const options = resolveProxyOptions({ endpoint, emulatedHeaders: ['x'] });
      const headers = new ForwardedHeaders(options, undefined);
      expect(headers.build({ http: {}, emulated: { x: value } })).toBeUndefined();
    },
  );

  test('names on the prototype are no headers', () => {
    const options = resolveProxyOptions({ endpoint, httpHeaders: ['constructor', '__proto__'] });
    const sent = new ForwardedHeaders(options, undefined).build({ http: {}, emulated: {} });
    expect({ ...sent }).toEqual(fixed);
  });

  test('configuration that cannot be sent is refused, without its value', () => {
    const options = resolveProxyOptions({ endpoint, staticHeaders: { 'X-Key': 'secret\n' } });
    expect(() => new ForwardedHeaders(options, undefined)).toThrow(
      "static_headers: 'X-Key' is no valid HTTP header",
    );
    expect(
      () =>
        new ForwardedHeaders(resolveProxyOptions({ endpoint, httpHeaders: ['a b'] }), undefined),
    ).toThrow("http_headers: 'a b' is no valid HTTP header");
  });
});
