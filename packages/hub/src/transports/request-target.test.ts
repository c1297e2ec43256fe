import { expect, test } from 'vitest';
import { requestTarget } from './request-target.ts';

test.each([
  ['/connection/websocket', '/connection/websocket', ''],
  ['/connection/websocket?a=1', '/connection/websocket', 'a=1'],
  ['/a?b=/c?d', '/a', 'b=/c?d'],
  ['http://hub.example/connection/websocket?x', '/connection/websocket', 'x'],
  ['HTTPS://user@hub.example:8443/a', '/a', ''],
  ['http://hub.example?x', '/', 'x'],
  ['http://hub.example', '/', ''],
  ['//hub.example/a', '//hub.example/a', ''],
  ['/http://hub.example/a', '/http://hub.example/a', ''],
  ['ftp://hub.example/a', 'ftp://hub.example/a', ''],
  ['*', '*', ''],
  ['', '/', ''],
])('%s has the path %s and the query "%s"', (url, path, query) => {
  expect(requestTarget(url)).toEqual({ path, query });
});

test('a request without a target has the root path', () => {
  expect(requestTarget(undefined)).toEqual({ path: '/', query: '' });
});
