import { assert, constantFrom, oneof, property, string, stringMatching } from 'fast-check';
import { expect, test } from 'vitest';
import { defaultChannelNaming, userLimitedChannel, usersNamedBy } from './channel-names.ts';

const namings = [
  defaultChannelNaming,
  { ...defaultChannelNaming, userBoundary: '##' },
  { ...defaultChannelNaming, userBoundary: 'ab', userSeparator: '#', maxLength: 60 },
  { ...defaultChannelNaming, userSeparator: '' },
  { ...defaultChannelNaming, userBoundary: '' },
];

/** Ids as strangers choose them: with the marks, and in pieces of each other. */
const anyUser = oneof(
  stringMatching(/^[ab#,:$]{1,6}$/),
  string({ maxLength: 300, unit: 'binary' }),
  string({ maxLength: 2, unit: constantFrom('\ud800', '\ud801', 'a') }),
);
const anyStart = stringMatching(/^[ab#,:]{0,5}$/);

test('names users as Centrifugo does', () => {
  const named = (channel: string) => usersNamedBy(channel, defaultChannelNaming);
  expect(named('news:a')).toBeUndefined();
  expect(named('dialog:a#b#42,43')).toEqual(['42', '43']);
  expect(named('dialog#')).toEqual(['']);
});

test('plain ids can stand in a name, others cannot', () => {
  expect(userLimitedChannel('inbox:', '42')).toBe('inbox:#42');
  expect(userLimitedChannel('task:7', 'a:b$c')).toBe('task:7#a:b$c');
  for (const odd of ['', 'a,b', 'a#b', '#a', 'Zoë', 'a b', 'x'.repeat(250)]) {
    expect(userLimitedChannel('task:7', odd)).toBeUndefined();
  }
});

test('a name that is made for a user is read as the name of this user alone', () => {
  assert(
    property(anyUser, anyStart, constantFrom(...namings), (user, start, naming) => {
      const channel = userLimitedChannel(start, user, naming);
      if (channel === undefined) return;
      expect(usersNamedBy(channel, naming)).toEqual([user]);
      expect(channel.startsWith(start)).toBe(true);
      expect(Buffer.byteLength(channel)).toBeLessThanOrEqual(naming.maxLength);
    }),
    { numRuns: 2000 },
  );
});
