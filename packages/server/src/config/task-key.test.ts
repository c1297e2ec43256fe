import { expect, test } from 'vitest';
import { compileTaskKey, taskKeyFault } from './task-key.ts';

test('a key is made of the user and of the payload', () => {
  const key = compileTaskKey('{user}/{payload.account.id}');
  expect(key({ account: { id: 7 } }, 'eve')).toBe('eve/7');
});

test('what is put in cannot imitate another key', () => {
  const key = compileTaskKey('{user}/{payload.a}');
  expect(key({ a: 'x' }, 'eve/b')).not.toBe(key({ a: 'b/x' }, 'eve'));
});

test.each([[{}], [{ account: null }], [{ account: [] }], ['account'], [null]])(
  'a payload without what is asked for has no key: %j',
  (payload) => expect(compileTaskKey('{payload.account}')(payload, 'eve')).toBeUndefined(),
);

test('what objects inherit is not in a payload', () => {
  expect(compileTaskKey('{payload.constructor.name}')({}, 'eve')).toBeUndefined();
});

test.each([
  ['{user}', undefined],
  ['{payload.a.b}-x', undefined],
  ['{payload}', 'asks for {payload}'],
  ['{payload.}', 'asks for {payload.}'],
  ['{name}', 'asks for {name}'],
  ['{user', 'has a brace without its other'],
])('%s: %s', (pattern, fault) => expect(taskKeyFault(pattern)).toBe(fault));
