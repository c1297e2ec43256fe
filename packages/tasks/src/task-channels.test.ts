import { expect, test } from 'vitest';
import { ownerOnlyChannels } from './task-channels.ts';

test('a channel names its owner, and nobody that the owner did not mean', () => {
  const { task, owner } = ownerOnlyChannels();
  expect([task({ id: '7', owner: 'eve' }), owner('eve')]).toEqual(['task:7#eve', 'tasks:#eve']);
  // The hub would read two users, or the last one, in these.
  for (const odd of ['', 'eve,bob', 'eve#bob', 'e'.repeat(201)]) {
    expect([task({ id: '7', owner: odd }), owner(odd)]).toEqual(['task:7', undefined]);
  }
});
