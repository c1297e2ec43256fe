import {
  type CategoryDefaults,
  type CategoryPreference,
  type Preferences,
  type PreferencesChange,
  preferencesWith,
  type QuietHours,
} from '@holdfast/protocol/inbox';
import { isDeepStrictEqual } from 'node:util';
import { inList, type Store } from '@holdfast/store';
import { sql, type SqlBool } from 'kysely';
import { InboxError } from './errors.ts';
import type { InboxTables, PreferenceTable } from './inbox-module.ts';
import type { InboxTransaction, Mailboxes, SettingResult } from './mailbox.ts';
import { checkId, checkName, checkTime } from './notification.ts';
import type { CategoryOptions, InboxSettings } from './options.ts';
import { quietMinutesLeft } from './quiet-minutes.ts';

/** What is to be done with a notification for one user. */
export interface Routing {
  readonly isMuted: boolean;
  readonly inApp: boolean;
  readonly webhook: boolean;
  readonly email: boolean;
  readonly escalateAfterMs: number;
  /** Minutes until the user's quiet hours end; 0 when it is none. */
  readonly quietMinutes: number;
}

const maxCategories = 200;
const builtIn = { inApp: true, webhook: false, email: false, escalateAfterMs: 300_000 };

/**
 * Whose wish counts, first that says something: the user for this category, the user for `*`, the
 * configuration for this category, the configuration for `*`, the built-in default.
 */
export class PreferenceBook {
  readonly #store: Store<InboxTables>;
  readonly #settings: InboxSettings;
  readonly #mailboxes: Mailboxes;

  constructor(store: Store<InboxTables>, settings: InboxSettings, mailboxes: Mailboxes) {
    this.#store = store;
    this.#settings = settings;
    this.#mailboxes = mailboxes;
  }

  async get(user: string): Promise<Preferences> {
    checkId('user', user);
    return this.#store.read((db) => this.select(db, user));
  }

  async select(db: InboxTransaction, user: string): Promise<Preferences> {
    const rows = await db
      .selectFrom('inbox_preferences')
      .selectAll()
      .where('user_id', '=', user)
      .orderBy('category')
      .execute();
    return toPreferences(rows);
  }

  /** Replaces everything the user wants. Doing it twice changes nothing. */
  async set(user: string, preferences: Preferences): Promise<Preferences> {
    return (await this.#write(user, () => preferences)).preferences;
  }

  /** Changes some of what the user wants. Doing it twice changes nothing. */
  async change(
    user: string,
    change: PreferencesChange,
  ): Promise<SettingResult & { readonly preferences: Preferences }> {
    for (const name of Object.keys(change.categories ?? {})) checkCategory(name);
    return this.#write(user, (before) => preferencesWith(before, change));
  }

  async #write(
    user: string,
    wanted: (before: Preferences) => Preferences,
  ): Promise<SettingResult & { readonly preferences: Preferences }> {
    checkId('user', user);
    return this.#store.transaction(async (trx) => {
      const version = await this.#mailboxes.claim(trx, user);
      const before = await this.select(trx, user);
      const rows = toRows(user, wanted(before));
      const preferences = toPreferences(rows);
      if (isDeepStrictEqual(preferences, before)) return { preferences, version };
      await trx.deleteFrom('inbox_preferences').where('user_id', '=', user).execute();
      if (rows.length > 0) await trx.insertInto('inbox_preferences').values(rows).execute();
      const event = { type: 'preferences', preferences } as const;
      return { preferences, version: await this.#mailboxes.announceSetting(trx, user, event) };
    });
  }

  /** What counts where users say nothing. */
  get defaults(): Readonly<Record<string, CategoryDefaults>> {
    const { categories } = this.#settings;
    const names = new Set(['*', ...Object.keys(categories)]);
    return Object.fromEntries(
      [...names].map((name) => {
        const { inApp, webhook, email } = this.#defaultsOf(name);
        return [name, { inApp, webhook, email }];
      }),
    );
  }

  #defaultsOf(category: string): Required<CategoryOptions> {
    const { categories } = this.#settings;
    return { ...builtIn, ...categories['*'], ...categories[category] };
  }

  /** How notifications of these categories go to these users. */
  async routes(
    trx: InboxTransaction,
    users: readonly string[],
    options: { readonly categories: readonly string[]; readonly now: number },
  ): Promise<(user: string, category: string) => Routing> {
    const { categories, now } = options;
    const { dialect } = this.#store;
    const rows = await trx
      .selectFrom('inbox_preferences')
      .selectAll()
      .where(sql<SqlBool>`user_id ${inList(dialect, users)}`)
      .where(sql<SqlBool>`category ${inList(dialect, [...categories, '*'])}`)
      .execute();
    const byUser = Map.groupBy(rows, (row) => row.user_id);
    const defaults = new Map(categories.map((name) => [name, this.#defaultsOf(name)]));
    return (user, category) =>
      routeOne(byUser.get(user) ?? [], defaults.get(category) ?? builtIn, { category, now });
  }
}

function routeOne(
  rows: readonly PreferenceTable[],
  defaults: Required<CategoryOptions>,
  options: { readonly category: string; readonly now: number },
): Routing {
  const own = rows.find((row) => row.category === options.category);
  const general = rows.find((row) => row.category === '*');
  const wants = (name: 'in_app' | 'webhook' | 'email', fallback: boolean): boolean => {
    const wish = own?.[name] ?? general?.[name] ?? null;
    return wish === null ? fallback : wish === 1;
  };
  const mutedUntil = Math.max(own?.muted_until ?? 0, general?.muted_until ?? 0);
  return {
    isMuted: mutedUntil > options.now,
    inApp: wants('in_app', defaults.inApp),
    webhook: wants('webhook', defaults.webhook),
    email: wants('email', defaults.email),
    escalateAfterMs: defaults.escalateAfterMs,
    quietMinutes: general === undefined ? 0 : quietMinutesOf(general, options.now),
  };
}

function quietMinutesOf(row: PreferenceTable, now: number): number {
  const { quiet_from: from, quiet_to: to, time_zone: timeZone } = row;
  if (from === null || to === null || timeZone === null) return 0;
  return quietMinutesLeft({ from, to, timeZone }, now);
}

function toPreferences(rows: readonly PreferenceTable[]): Preferences {
  const categories: Record<string, CategoryPreference> = {};
  let quietHours: QuietHours | null = null;
  for (const row of rows) {
    const preference: CategoryPreference = {
      ...(row.in_app === null ? {} : { inApp: row.in_app === 1 }),
      ...(row.webhook === null ? {} : { webhook: row.webhook === 1 }),
      ...(row.email === null ? {} : { email: row.email === 1 }),
      ...(row.muted_until === null ? {} : { mutedUntil: row.muted_until }),
    };
    if (Object.keys(preference).length > 0) categories[row.category] = preference;
    if (row.quiet_from === null || row.quiet_to === null || row.time_zone === null) continue;
    quietHours = {
      from: formatMinute(row.quiet_from),
      to: formatMinute(row.quiet_to),
      timeZone: row.time_zone,
    };
  }
  return { categories, quietHours };
}

function toRows(user: string, preferences: Preferences): PreferenceTable[] {
  const names = new Set(Object.keys(preferences.categories));
  if (names.size > maxCategories) {
    throw new InboxError('inbox_invalid', `categories must be at most ${maxCategories}`);
  }
  if (preferences.quietHours !== null) names.add('*');
  return [...names].map((category) => {
    checkCategory(category);
    const wish = preferences.categories[category] ?? {};
    const quiet = category === '*' ? preferences.quietHours : null;
    if (quiet !== null) checkQuietHours(quiet);
    return {
      user_id: user,
      category,
      in_app: toFlag('inApp', wish.inApp),
      webhook: toFlag('webhook', wish.webhook),
      email: toFlag('email', wish.email),
      muted_until: wish.mutedUntil === undefined ? null : checkTime('mutedUntil', wish.mutedUntil),
      quiet_from: quiet === null ? null : parseMinute('quietHours.from', quiet.from),
      quiet_to: quiet === null ? null : parseMinute('quietHours.to', quiet.to),
      time_zone: quiet?.timeZone ?? null,
    };
  });
}

function checkCategory(name: string): void {
  if (name !== '*') checkName('categories', name);
}

function toFlag(field: string, value: boolean | undefined): number | null {
  if (value === undefined) return null;
  if (typeof value !== 'boolean') {
    throw new InboxError('inbox_invalid', `${field} must be true or false`);
  }
  return value ? 1 : 0;
}

function parseMinute(field: string, text: string): number {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (match === null) throw new InboxError('inbox_invalid', `${field} must be like 22:30`);
  return Number(match[1]) * 60 + Number(match[2]);
}

function formatMinute(minute: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

function checkQuietHours({ from, to, timeZone }: QuietHours): void {
  checkTimeZone(timeZone);
  if (from !== to) return;
  throw new InboxError('inbox_invalid', 'quietHours.from and quietHours.to must differ');
}

function checkTimeZone(timeZone: string): void {
  try {
    Intl.DateTimeFormat('en-GB', { timeZone });
  } catch {
    throw new InboxError('inbox_invalid', 'quietHours.timeZone must be a name like Europe/Berlin');
  }
}
