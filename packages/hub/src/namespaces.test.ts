import { replyErrors } from '@holdfast/protocol';
import { describe, expect, test } from 'vitest';
import { Namespaces } from './namespaces.ts';
import { defaultChannelsOptions } from './channel-options.ts';
import { isRefusal } from './refusal.ts';

const namespaces = new Namespaces({
  ...defaultChannelsOptions,
  withoutNamespace: { presence: true, allowUserLimitedChannels: true },
  namespaces: [
    { name: 'news', historySize: 10, historyTtlMs: 1_000 },
    { name: 'rooms', allowUserLimitedChannels: true, historyMetaTtlMs: 5 },
    { name: 'any', channelRegex: '^[a-zü:]+$' },
  ],
});

describe('namespaces', () => {
  test.each([
    ['plain', ''],
    ['news:today', 'news'],
    ['news:a:b', 'news'],
    ['$news:today', 'news'],
    ['$plain', ''],
    ['#42', ''],
    ['rooms:a#1,2', 'rooms'],
    ['any:ü', 'any'],
  ])('%s belongs to %j', (channel, namespace) => {
    const rules = namespaces.resolve(channel);
    expect(isRefusal(rules) ? rules : rules.namespace).toBe(namespace);
  });

  test.each([
    ['', replyErrors.badRequest],
    ['nowhere:a', replyErrors.unknownChannel],
    ['a#b:c', replyErrors.unknownChannel],
    ['ünder', replyErrors.badRequest],
    ['tab\t', replyErrors.badRequest],
    ['del\u007f', replyErrors.badRequest],
    ['any:UPPER', replyErrors.badRequest],
    ['x'.repeat(256), replyErrors.badRequest],
    ['any:' + 'ü'.repeat(126), replyErrors.badRequest],
  ])('%j is refused', (channel, refusal) => {
    expect(namespaces.resolve(channel)).toBe(refusal);
  });

  test('a namespace that says nothing about metadata has the default', () => {
    expect(namespaces.resolve('news:a')).toMatchObject({ historyMetaTtlMs: 2_592_000_000 });
    expect(namespaces.resolve('rooms:a')).toMatchObject({ historyMetaTtlMs: 5 });
  });

  test('history needs a size and a ttl', () => {
    expect(namespaces.resolve('news:a')).toMatchObject({ hasHistory: true });
    expect(namespaces.resolve('plain')).toMatchObject({ hasHistory: false });
  });
});

describe('user-limited channels', () => {
  test.each([
    ['chat#1,2', ['1', '2']],
    ['chat#', ['']],
    ['a#b#3', ['3']],
    ['chat', undefined],
  ])('%s is limited to %j', (channel, users) => {
    const rules = namespaces.resolve(channel);
    if (isRefusal(rules)) throw rules;
    expect(namespaces.limitedTo(channel, rules)).toEqual(users);
  });

  test('only where the namespace allows it', () => {
    const rules = namespaces.resolve('news:a#1');
    if (isRefusal(rules)) throw rules;
    expect(namespaces.limitedTo('news:a#1', rules)).toBeUndefined();
  });

  test('a personal channel names its user', () => {
    expect(namespaces.personalChannel('42', '')).toBe('#42');
    expect(namespaces.personalChannel('42', 'rooms')).toBe('rooms:#42');
  });

  test.each(['a,b', 'a#b', ',', '#'])(
    '%s has no personal channel where others would read it',
    (user) => {
      expect(namespaces.personalChannel(user, '')).toBeUndefined();
      expect(namespaces.personalChannel(user, 'news')).toBe(`news:#${user}`);
    },
  );
});
