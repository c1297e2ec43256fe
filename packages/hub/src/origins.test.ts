import { expect, test } from 'vitest';
import { compileOrigins } from './origins.ts';

test.each([
  ['https://app.example', ['https://app.example'], true],
  ['HTTPS://APP.EXAMPLE', ['https://app.example'], true],
  ['https://a.example.com', ['https://*.example.com'], true],
  ['http://localhost:5173', ['http://localhost:*'], true],
  ['https://anything', ['*'], true],
  ['https://app.example.evil.com', ['https://app.example'], false],
  ['https://evilapp.example', ['https://app.example'], false],
  ['https://appXexample', ['https://app.example'], false],
  ['http://app.example', ['https://app.example'], false],
  ['https://example.com', ['https://*.example.com'], false],
  ['https://user@a.example.com', ['https://*.example.com'], false],
  ['null', ['https://app.example'], false],
  ['https://app.example', [], false],
])('%s against %j: %s', (origin, patterns, isAllowed) => {
  expect(compileOrigins(patterns)(origin)).toBe(isAllowed);
});
