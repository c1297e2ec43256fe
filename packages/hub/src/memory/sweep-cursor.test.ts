import { expect, test } from 'vitest';
import { SweepCursor } from './sweep-cursor.ts';

test('visits every entry once per round, a few at a time', () => {
  const map = new Map(['a', 'b', 'c', 'd', 'e'].map((key) => [key, true]));
  const cursor = new SweepCursor(map);
  const rounds: string[] = [];
  for (let call = 0; call < 5; call += 1) {
    let visited = '';
    cursor.visit(2, (key) => {
      visited += key;
    });
    rounds.push(visited);
  }
  expect(rounds).toEqual(['ab', 'cd', 'e', 'ab', 'cd']);
});

test('goes on where it stopped when entries come and go', () => {
  const map = new Map(['a', 'b', 'c', 'd'].map((key) => [key, true]));
  const cursor = new SweepCursor(map);
  const visited: string[] = [];
  const visit = (): void => cursor.visit(2, (key) => visited.push(key));
  visit();
  map.delete('a');
  map.delete('c');
  map.set('e', true);
  visit();
  visit();
  visit();
  expect(visited.join('')).toBe('abdebd');
});
