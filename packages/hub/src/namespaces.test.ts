import { replyErrors } from '@holdfast/protocol';
import { describe, expect, test } from 'vitest';
import { Namespaces } from './namespaces.ts';
import { defaultChannelsOptions } from './options.ts';

const namespaces = new Namespaces({
  ...defaultChannelsOptions,
  withoutNamespace: { channelRegex: '^[0-9]+$' },
  namespaces: [
    { name: 'plain' },
    { name: 'whole', channelRegex: String.raw`^\p{L}+$` },
    { name: 'part', channelRegex: 'ab' },
  ],
});

/** The rule comes from Centrifugo: its files must mean here what they mean there. */
describe('channel_regex', () => {
  test.each([
    ['42', ''],
    ['$42', ''],
    ['whole:überall', 'whole'],
    ['$whole:ok', 'whole'],
    ['part:xaby', 'part'],
    ['plain:anything', 'plain'],
  ])('%s is a channel of %o', (channel, namespace) => {
    expect(namespaces.resolve(channel)).toMatchObject({ namespace });
  });

  test.each([
    'a42',
    '42\n',
    'whole:a1',
    'whole:',
    'part:ba',
    'part:ab\n',
    'plain:ü',
    'plain:a\u0000',
  ])('%o is refused', (channel) => {
    expect(namespaces.resolve(channel)).toBe(replyErrors.badRequest);
  });
});
