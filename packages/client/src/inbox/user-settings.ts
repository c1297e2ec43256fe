import type { InboxEvent } from './notification.ts';

/** Where a user wants notifications of one category; absent members follow the next rule. */
export interface CategoryPreference {
  readonly inApp?: boolean;
  readonly webhook?: boolean;
  readonly email?: boolean;
  /** Nothing at all until then, in Unix milliseconds; {@link mutedForGood} has no end. */
  readonly mutedUntil?: number;
}

/** Daily hours in which notifications are silent and nothing leaves the application. */
export interface QuietHours {
  /** `22:00`. */
  readonly from: string;
  /** `07:00`; may be earlier than `from`, over midnight. */
  readonly to: string;
  /** IANA name, `Europe/Berlin`. */
  readonly timeZone: string;
}

export interface Preferences {
  /** By category; `*` for all that are not named. */
  readonly categories: Readonly<Record<string, CategoryPreference>>;
  readonly quietHours: QuietHours | null;
}

/** What a user wants otherwise; what is left out stays as it is. */
export interface PreferencesChange {
  /** Members that are null follow the next rule again, and so does a category that is null. */
  readonly categories?: Readonly<
    Record<
      string,
      { readonly [Member in keyof CategoryPreference]?: CategoryPreference[Member] | null } | null
    >
  >;
  readonly quietHours?: QuietHours | null;
}

/** A way that a notification can take to its user. */
export type NotificationTarget = 'inApp' | 'webhook' | 'email';

/** What a user has set, and what a screen needs to show it. */
export interface UserSettings {
  readonly preferences: Preferences;
  /** Topics that the user is subscribed to, in order of their names. */
  readonly topics: readonly string[];
  /** Where notifications go as long as the user says nothing: by category, `*` for all others. */
  readonly defaults: Readonly<Record<string, Readonly<Record<NotificationTarget, boolean>>>>;
  /** Where the server can send them beside the application. */
  readonly targets: readonly Exclude<NotificationTarget, 'inApp'>[];
}

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
      return { ...settings, preferences: changed(settings.preferences, change.change) };
    case 'subscribe':
      return withTopic(settings, change.topic);
    case 'unsubscribe':
      return withoutTopic(settings, change.topic);
  }
}

function changed(before: Preferences, change: PreferencesChange): Preferences {
  const categories = new Map(Object.entries(before.categories));
  for (const [name, wish] of Object.entries(change.categories ?? {})) {
    const members = Object.entries({ ...categories.get(name), ...wish });
    const kept = wish === null ? [] : members.filter(([, value]) => value !== null);
    if (kept.length === 0) categories.delete(name);
    else categories.set(name, Object.fromEntries(kept));
  }
  const { quietHours = before.quietHours } = change;
  return { categories: Object.fromEntries(categories), quietHours };
}

function withTopic(settings: UserSettings, topic: string): UserSettings {
  const topics = [...new Set([...settings.topics, topic])].toSorted();
  return { ...settings, topics };
}

function withoutTopic(settings: UserSettings, topic: string): UserSettings {
  return { ...settings, topics: settings.topics.filter((one) => one !== topic) };
}
