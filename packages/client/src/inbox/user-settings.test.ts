import type {
  InboxEvent,
  Preferences,
  PreferencesChange,
  UserSettings,
} from '@holdfast/protocol/inbox';
import { expect, test } from 'vitest';
import { isWanted, settingsAfter, settingsWith } from './user-settings.ts';

const nothing: UserSettings = {
  preferences: { categories: {}, quietHours: null },
  topics: [],
  defaults: {
    '*': { inApp: true, webhook: false, email: true },
    ads: { inApp: false, webhook: false, email: false },
  },
  targets: ['email'],
};
const with_ = (categories: Preferences['categories']): UserSettings => ({
  ...nothing,
  preferences: { categories, quietHours: null },
});

test('whose wish counts: the user for the category, the user in general, the server in that order', () => {
  expect(isWanted(nothing, 'orders', 'email')).toBe(true);
  expect(isWanted(nothing, 'ads', 'email')).toBe(false);
  expect(isWanted(with_({ '*': { email: true } }), 'ads', 'email')).toBe(true);
  const own = with_({ '*': { email: true }, ads: { email: false } });
  expect(isWanted(own, 'ads', 'email')).toBe(false);
  expect(isWanted(own, 'ads', 'inApp')).toBe(false);
  expect(isWanted({ ...nothing, defaults: {} }, 'ads', 'inApp')).toBe(true);
  expect(isWanted({ ...nothing, defaults: {} }, 'ads', 'email')).toBe(false);
});

const quietHours = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' };

test.each<[string, PreferencesChange, Preferences]>([
  [
    'adds',
    { categories: { a: { email: false } } },
    { categories: { a: { email: false }, b: { inApp: true } }, quietHours },
  ],
  [
    'joins',
    { categories: { b: { email: false } } },
    { categories: { b: { inApp: true, email: false } }, quietHours },
  ],
  ['takes a wish back', { categories: { b: { inApp: null } } }, { categories: {}, quietHours }],
  ['takes a category back', { categories: { b: null } }, { categories: {}, quietHours }],
  [
    'ends the quiet hours',
    { quietHours: null },
    { categories: { b: { inApp: true } }, quietHours: null },
  ],
])('a change of preferences %s, and is idempotent', (_, change, expected) => {
  const before = { ...nothing, preferences: { categories: { b: { inApp: true } }, quietHours } };
  const after = settingsWith(before, { type: 'preferences', change });
  expect(after.preferences).toEqual(expected);
  expect(settingsWith(after, { type: 'preferences', change })).toEqual(after);
});

test('topics stand in order and once, whether changed here or told', () => {
  const told = (event: object): InboxEvent => event as InboxEvent;
  let settings = settingsWith(nothing, { type: 'subscribe', topic: 'sport' });
  settings = settingsAfter(settings, told({ type: 'subscribed', topic: 'news' }));
  settings = settingsAfter(settings, told({ type: 'subscribed', topic: 'sport' }));
  expect(settings.topics).toEqual(['news', 'sport']);
  settings = settingsWith(settings, { type: 'unsubscribe', topic: 'news' });
  expect(settingsAfter(settings, told({ type: 'unsubscribed', topic: 'news' })).topics).toEqual([
    'sport',
  ]);
});
