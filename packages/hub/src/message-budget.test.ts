import { expect, test } from 'vitest';
import { countWithin, messageBudget, payloadProblem } from './message-budget.ts';

const limits = { queueMaxSizeBytes: 1_001 };

test('a publication may fill half of a queue and no more', () => {
  expect(messageBudget(limits)).toBe(500);
  expect(payloadProblem(new Uint8Array(500), limits)).toBeUndefined();
  expect(payloadProblem(new Uint8Array(501), limits)).toMatchObject({
    code: 106,
    message: expect.stringContaining('at most 500 bytes'),
  });
});

test('counts the publications that fit', () => {
  const publications = [{ data: new Uint8Array(4) }, {}, { data: new Uint8Array(5) }];
  expect(countWithin(publications, 9)).toBe(3);
  expect(countWithin(publications, 8)).toBe(2);
  expect(countWithin(publications, 3)).toBe(0);
  expect(countWithin([], 0)).toBe(0);
});
