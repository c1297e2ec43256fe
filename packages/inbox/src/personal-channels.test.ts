import { assert, constantFrom, oneof, pre, property, string, stringMatching } from 'fast-check';
import { defaultChannelNaming as defaults, usersNamedBy } from '@holdfast/protocol';
import { expect, test } from 'vitest';
import { personalChannels } from './personal-channels.ts';

/** Users whom a channel's name lets in, as the hub reads it; a private channel lets nobody in. */
function namedUsers(channel: string, naming = defaults): readonly string[] {
  if (channel.startsWith(naming.privatePrefix)) return [];
  return usersNamedBy(channel, naming) ?? [];
}

/** Ids as strangers choose them: with the marks, in pieces of each other, and like digests. */
const anyUser = oneof(
  stringMatching(/^[ab#,:$]{1,6}$/),
  string({ maxLength: 300, unit: 'binary' }),
  stringMatching(/^[A-Za-z0-9_-]{43}$/),
  string({ maxLength: 2, unit: constantFrom('\ud800', '\ud801', 'a') }),
);

test('plain ids are in the name, all others are not', () => {
  const channelOf = personalChannels('inbox');
  expect([channelOf('42'), channelOf('a:b$c')]).toEqual(['inbox:#42', 'inbox:#a:b$c']);
  for (const odd of ['', 'a,b', 'a#b', '#a', 'Zoë', 'a b', 'x'.repeat(250)]) {
    expect(channelOf(odd)).toMatch(/^\$inbox:[\w-]{43}$/);
  }
});

test('a channel lets in its own user or nobody by its name, and no two users share one', () => {
  const namings = constantFrom(
    defaults,
    { ...defaults, userBoundary: '##' },
    { ...defaults, userBoundary: 'ab', userSeparator: '#', maxLength: 60 },
  );
  assert(
    property(anyUser, anyUser, namings, (user, other, naming) => {
      pre(user !== other);
      const channelOf = personalChannels('inbox', naming);
      const channel = channelOf(user);
      const named = namedUsers(channel, naming);
      expect(named.length === 0 || (named.length === 1 && named[0] === user)).toBe(true);
      expect(channelOf(other)).not.toBe(channel);
      expect(named).not.toContain(other);
      expect(Buffer.byteLength(channel)).toBeLessThanOrEqual(naming.maxLength);
    }),
    { numRuns: 2000 },
  );
});
