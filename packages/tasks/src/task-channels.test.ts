import { expect, test } from 'vitest';
import { ownerOnlyChannels } from './task-channels.ts';

test('a channel names its owner, and nobody that the owner did not mean', () => {
  const { task, owner } = ownerOnlyChannels();
  expect([task({ id: '7', owner: 'eve' }), owner('eve')]).toEqual(['task:7#eve', 'tasks:#eve']);
  // Two users, the last one, or none would be read in these, or the hub would not take them.
  for (const odd of ['', 'eve,bob', 'eve#bob', 'Zoë', 'e'.repeat(250)]) {
    expect([task({ id: '7', owner: odd }), owner(odd)]).toEqual(['task:7', undefined]);
  }
});
