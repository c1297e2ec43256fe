import type {
  InboxEvent,
  Notification,
  UnreadCounts,
  UserSettings,
} from '@holdfast/protocol/inbox';
import { type SettingChange, settingsAfter, settingsWith } from './user-settings.ts';

/** Which notifications are in the list. */
export interface InboxFilter {
  /** `all` leaves out what is archived. @defaultValue 'all' */
  readonly status?: 'all' | 'unread' | 'read' | 'archived';
  readonly category?: string;
  readonly severity?: Notification['severity'];
}

/** A user's inbox, as far as it has been read. */
export interface InboxState {
  readonly filter: InboxFilter;
  /** Newest first, without a gap. */
  readonly items: readonly Notification[];
  /** Where the list goes on: the oldest id that is here. Null when nothing follows. */
  readonly nextCursor: string | null;
  /** Of the whole inbox, whatever the filter. */
  readonly unread: UnreadCounts;
  readonly version: number;
  /** The list of this filter has been read. */
  readonly isListed: boolean;
  /** The newest that there is, in the list or not; '' when there has been none. */
  readonly newestId: string;
  /** Unread ones that came between `missedSince` and this reading; oldest first. */
  readonly missed: readonly Notification[];
  /** The newest that was known before this reading; undefined when it was the first, and after events. */
  readonly missedSince: string | undefined;
  /** Undefined as long as nobody wants to know. */
  readonly settings: UserSettings | undefined;
}

/** What the user does. */
export type InboxChange =
  | { readonly type: 'read'; readonly ids: readonly string[]; readonly at: number }
  | { readonly type: 'unread'; readonly ids: readonly string[] }
  | {
      readonly type: 'read_all';
      readonly upTo: string;
      readonly category?: string;
      readonly at: number;
    }
  | { readonly type: 'archive' | 'unarchive' | 'delete'; readonly ids: readonly string[] }
  | SettingChange;

/** Notifications that are kept; older ones are read again with the next page. */
export const maxItems = 1_000;

/**
 * The state after an event: the same when it contains it, undefined when the event does not follow or
 * brings something into the list that only the server knows.
 */
export function applied(state: InboxState, event: InboxEvent): InboxState | undefined {
  if (!(event.version > state.version)) return state;
  if (event.version !== state.version + 1 || isUnknown(state, event)) return undefined;
  return {
    ...state,
    ...withEvent(state, event),
    unread: event.unread,
    version: event.version,
    newestId: newestOf(state, event),
    // What is told of events is not in there: this is no reading any more that tells of all since then.
    missed: [],
    missedSince: undefined,
    settings: state.settings && settingsAfter(state.settings, event),
  };
}

function newestOf({ newestId }: InboxState, event: InboxEvent): string {
  if (event.type !== 'created') return newestId;
  return event.notification.id > newestId ? event.notification.id : newestId;
}

type List = Pick<InboxState, 'items' | 'nextCursor' | 'filter'>;

/** The list after an event. Idempotent: an event may be contained already. */
function withEvent(list: List, event: InboxEvent): List {
  switch (event.type) {
    case 'created': {
      const rest = event.replaces === null ? list : without(list, [event.replaces]);
      return withItems(rest, [event.notification]);
    }
    case 'read':
      return changed(list, event.ids, (item) => ({ ...item, readAt: event.readAt }));
    case 'unread':
      return changed(list, event.ids, (item) => ({ ...item, readAt: null }));
    case 'unarchived': {
      const ids = event.notifications.map(({ id }) => id);
      return withItems(without(list, ids), event.notifications);
    }
    case 'removed':
      return without(list, event.ids);
    case 'preferences':
    case 'subscribed':
    case 'unsubscribed':
      return list;
  }
}

/**
 * The next page joined to the list, with what happened while it was on its way; the same state when
 * the page does not fit any more and has to be read again.
 */
export function withPage(
  state: InboxState,
  page: Pick<InboxState, 'items' | 'nextCursor' | 'filter'> & { readonly cursor: string },
  events: readonly InboxEvent[],
): InboxState {
  // The list was read anew meanwhile, and ends somewhere else, or is of something else.
  if (state.nextCursor !== page.cursor || !isSameFilter(state.filter, page.filter)) return state;
  let list: List = { filter: state.filter, items: page.items, nextCursor: page.nextCursor };
  for (const event of events) {
    if (isUnknown(list, event, page.cursor)) return state;
    list = withEvent(list, event);
  }
  const last = state.items.at(-1)?.id;
  const older = list.items.filter(({ id }) => last === undefined || id < last);
  return {
    ...state,
    ...bounded({
      filter: state.filter,
      items: [...state.items, ...older],
      nextCursor: page.nextCursor,
    }),
  };
}

/** Two lists of different filters may end at the same place. */
export function isSameFilter(one: InboxFilter, other: InboxFilter): boolean {
  return (
    one.status === other.status &&
    one.category === other.category &&
    one.severity === other.severity
  );
}

/** The state as it will be after a change. Idempotent. */
export function overlaid(state: InboxState, change: InboxChange): InboxState {
  switch (change.type) {
    case 'read': {
      const unread = state.items.filter((item) => isCounted(item) && change.ids.includes(item.id));
      const next = changed(state, change.ids, (item) => readAt(item, change.at));
      return { ...state, ...next, unread: counted(state.unread, unread, -1) };
    }
    case 'unread': {
      const read = state.items.filter(
        (item) => item.readAt !== null && change.ids.includes(item.id),
      );
      const next = changed(state, change.ids, (item) => ({ ...item, readAt: null }));
      const visible = read.filter((item) => item.archivedAt === null);
      return { ...state, ...next, unread: counted(state.unread, visible, 1) };
    }
    case 'read_all':
      return readAll(state, change);
    case 'archive':
    case 'delete': {
      const gone = state.items.filter((item) => isCounted(item) && change.ids.includes(item.id));
      const isThere = change.type === 'archive' && state.filter.status === 'archived';
      const next = isThere ? {} : without(state, change.ids);
      return { ...state, ...next, unread: counted(state.unread, gone, -1) };
    }
    case 'unarchive': {
      const back = state.items.filter(
        (item) => item.archivedAt !== null && change.ids.includes(item.id) && item.readAt === null,
      );
      const next = changed(state, change.ids, (item) => ({ ...item, archivedAt: null }));
      return { ...state, ...next, unread: counted(state.unread, back, 1) };
    }
    case 'preferences':
    case 'subscribe':
    case 'unsubscribe':
      return { ...state, settings: state.settings && settingsWith(state.settings, change) };
  }
}

/** What is newer than `upTo` stays unread, and all of that is in the list when it is not filtered. */
function readAll(
  state: InboxState,
  { upTo, category, at }: InboxChange & { readonly type: 'read_all' },
): InboxState {
  const isMeant = (item: Notification): boolean =>
    item.id <= upTo && (category === undefined || item.category === category);
  const ids = state.items.filter((item) => isCounted(item) && isMeant(item)).map(({ id }) => id);
  const next = changed(state, ids, (item) => readAt(item, at));
  const newer = state.items.filter((item) => isCounted(item) && item.id > upTo);
  const kept: Record<string, number> = {};
  let { total } = state.unread;
  for (const [name, count] of Object.entries(state.unread.byCategory)) {
    const left =
      category === undefined || category === name
        ? newer.filter((item) => item.category === name).length
        : count;
    const less = Math.min(left, count);
    if (less > 0) kept[name] = less;
    total += less - count;
  }
  // Of very many categories some are counted in the total alone.
  if (category === undefined) total = Math.min(newer.length, state.unread.total);
  return { ...state, ...next, unread: { total, byCategory: kept } };
}

/**
 * Something comes into the list that is in no event and not in the list.
 *
 * @param before - of a page: the id that it begins after
 */
function isUnknown(list: List, event: InboxEvent, before?: string): boolean {
  const { status } = list.filter;
  const comesIn =
    (event.type === 'read' && status === 'read') ||
    (event.type === 'unread' && status === 'unread') ||
    (event.type === 'removed' && event.reason === 'archived' && status === 'archived');
  if (comesIn) {
    const known = new Set(list.items.map(({ id }) => id));
    const isOfPage = (id: string): boolean => before === undefined || id < before;
    return event.ids.some((id) => !known.has(id) && isWithin(list, id) && isOfPage(id));
  }
  // A kind of event that a newer server has.
  return !knownEvents.has(event.type);
}

const knownEvents: ReadonlySet<string> = new Set<InboxEvent['type']>([
  'created',
  'read',
  'unread',
  'unarchived',
  'removed',
  'preferences',
  'subscribed',
  'unsubscribed',
]);

function isWithin({ nextCursor }: List, id: string): boolean {
  return nextCursor === null || id >= nextCursor;
}

function isShown({ status = 'all', category, severity }: InboxFilter, item: Notification): boolean {
  if ((status === 'archived') !== (item.archivedAt !== null)) return false;
  if (status === 'unread' && item.readAt !== null) return false;
  if (status === 'read' && item.readAt === null) return false;
  if (category !== undefined && item.category !== category) return false;
  return severity === undefined || item.severity === severity;
}

function withItems(list: List, added: readonly Notification[]): List {
  const ids = new Set(added.map(({ id }) => id));
  const fitting = added.filter((item) => isShown(list.filter, item) && isWithin(list, item.id));
  if (fitting.length === 0) return list;
  const items = [...fitting, ...list.items.filter(({ id }) => !ids.has(id))];
  return bounded({ ...list, items: items.toSorted((a, b) => (a.id < b.id ? 1 : -1)) });
}

function without(list: List, ids: readonly string[]): List {
  const gone = new Set(ids);
  return { ...list, items: list.items.filter(({ id }) => !gone.has(id)) };
}

function changed(
  list: List,
  ids: readonly string[],
  change: (item: Notification) => Notification,
): List {
  const meant = new Set(ids);
  const items = list.items
    .map((item) => (meant.has(item.id) ? change(item) : item))
    .filter((item) => isShown(list.filter, item));
  return { ...list, items };
}

function bounded(list: List): List {
  if (list.items.length <= maxItems) return list;
  const items = list.items.slice(0, maxItems);
  return { ...list, items, nextCursor: items.at(-1)?.id ?? null };
}

function readAt(item: Notification, at: number): Notification {
  return item.readAt === null ? { ...item, readAt: at } : item;
}

function isCounted({ readAt, archivedAt }: Notification): boolean {
  return readAt === null && archivedAt === null;
}

function counted(
  { total, byCategory }: UnreadCounts,
  items: readonly Notification[],
  step: 1 | -1,
): UnreadCounts {
  const counts: Record<string, number> = { ...byCategory };
  for (const { category } of items) {
    // An object has members of its own that are no categories, `constructor` for one.
    const before = Object.hasOwn(counts, category) ? counts[category] : 0;
    counts[category] = Math.max(0, (before ?? 0) + step);
  }
  // Not their sum: of very many categories some are counted in the total alone.
  return {
    total: Math.max(0, total + step * items.length),
    byCategory: Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
  };
}
