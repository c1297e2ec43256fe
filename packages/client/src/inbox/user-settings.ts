import {
  type InboxEvent,
  type NotificationTarget,
  type PreferencesChange,
  preferencesWith,
  type UserSettings,
} from '@holdfast/protocol/inbox';

export type SettingChange =
  | { readonly type: 'preferences'; readonly change: PreferencesChange }
  | { readonly type: 'subscribe' | 'unsubscribe'; readonly topic: string };

/** The greatest time that there is: of what is muted until the user says otherwise. */
export const mutedForGood = 8_640_000_000_000_000;

/** Whether notifications of a category go there, whoever said so: the user or the server. */
export function isWanted(
  { preferences: { categories }, defaults }: Pick<UserSettings, 'preferences' | 'defaults'>,
  category: string,
  target: NotificationTarget,
): boolean {
  return (
    categories[category]?.[target] ??
    categories['*']?.[target] ??
    (defaults[category] ?? defaults['*'])?.[target] ??
    target === 'inApp'
  );
}

/** The settings after an event, which are the same when it tells of something else. */
export function settingsAfter(settings: UserSettings, event: InboxEvent): UserSettings {
  if (event.type === 'preferences') return { ...settings, preferences: event.preferences };
  if (event.type === 'subscribed') return withTopic(settings, event.topic);
  return event.type === 'unsubscribed' ? withoutTopic(settings, event.topic) : settings;
}

/** The settings as they will be after a change. Idempotent. */
export function settingsWith(settings: UserSettings, change: SettingChange): UserSettings {
  switch (change.type) {
    case 'preferences':
      return { ...settings, preferences: preferencesWith(settings.preferences, change.change) };
    case 'subscribe':
      return withTopic(settings, change.topic);
    case 'unsubscribe':
      return withoutTopic(settings, change.topic);
  }
}

function withTopic(settings: UserSettings, topic: string): UserSettings {
  const topics = [...new Set([...settings.topics, topic])].toSorted();
  return { ...settings, topics };
}

function withoutTopic(settings: UserSettings, topic: string): UserSettings {
  return { ...settings, topics: settings.topics.filter((one) => one !== topic) };
}
