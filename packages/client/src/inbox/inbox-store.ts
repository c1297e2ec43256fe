import type {
  InboxEvent,
  Notification,
  PreferencesChange,
  UnreadCounts,
  UserSettings,
} from '@holdfast/protocol/inbox';
import type { Client } from '../client.ts';
import { ClientError } from '../client-error.ts';
import { deliver } from '../deliver.ts';
import { createEnvironment } from '../environment.ts';
import { defaultBackoff } from '../live/backoff.ts';
import type { BaseChange, LiveStoreOptions } from '../live/live-options.ts';
import { LiveStore, type LiveStatus } from '../live/live-store.ts';
import type { UserApi } from '../user-api.ts';
import { Acknowledger } from './acknowledger.ts';
import { deviceId } from './device-id.ts';
import { InboxApi, type InboxView } from './inbox-api.ts';
import {
  applied,
  type InboxChange,
  type InboxFilter,
  type InboxState,
  isSameFilter,
  maxItems,
  overlaid,
  withPage,
} from './inbox-state.ts';

/** What there is to show. Never changed in place: a new one after each change. */
export interface InboxSnapshot {
  /**
   * `loading`: nothing yet. `live`: as on the server. `stale`: what was known last, while the store
   * finds its way back by itself. `failed`: trying again is useless until `retry()`; see `problem`.
   */
  readonly status: LiveStatus;
  readonly problem: ClientError | undefined;
  readonly filter: InboxFilter;
  /** Newest first. Empty while the list of a new filter is read: see `isListed`. */
  readonly items: readonly Notification[];
  /** The list of `filter` has been read. */
  readonly isListed: boolean;
  /** There are older ones: `loadMore()`. */
  readonly hasMore: boolean;
  readonly isLoadingMore: boolean;
  /** Of the whole inbox, whatever the filter. Counted by the server. */
  readonly unread: UnreadCounts;
  /** Changes of this tab that the server has not answered yet. */
  readonly unconfirmed: number;
  /** What the user has set. Undefined until it was read, which begins with `openSettings()`. */
  readonly settings: UserSettings | undefined;
}

/** What an inbox store is made of. `client` and `api` are needed. */
export interface InboxStoreOptions extends LiveStoreOptions {
  /** Connects by itself; the store follows it and never closes it. */
  readonly client: Pick<Client, 'subscribe' | 'state' | 'onChange'>;
  readonly api: UserApi;
  /** Where the inbox is below the server's URL. @defaultValue '/api/inbox/me' */
  readonly path?: string;
  /** Notifications of the first page, at most 100. @defaultValue 20 */
  readonly pageSize?: number;
  readonly filter?: InboxFilter;
  /**
   * Names this device for acknowledgements, for ever.
   * @defaultValue one per browser, kept in `localStorage`
   */
  readonly device?: string;
}

/** How a notification came. */
export interface Arrival {
  /** It is the user's quiet time: show it, make no sound. */
  readonly isSilent: boolean;
  /** It came while this device was away. */
  readonly isRedelivered: boolean;
  /** This tab speaks for the browser: make the sound here and in no other tab. */
  readonly isLead: boolean;
}

/**
 * A user's inbox in this page. It begins to read when it is first listened to, shows changes of the
 * user at once and takes them back when the server refuses them. All tabs of a browser show the same
 * at the same time, and are one device.
 */
export interface InboxStore {
  /** The same object until something changes. */
  getSnapshot(): InboxSnapshot;
  /** What there is before anything was read: for a page that is rendered on a server. */
  getServerSnapshot(): InboxSnapshot;
  /** Calls `listener` after each change, until the returned function is called. */
  subscribe(listener: () => void): () => void;
  /**
   * Calls `listener` once in this tab for each notification that comes from now on, in order: also for
   * those that came while the connection was lost or the server restarted, as far as they are unread
   * (the newest 1,000). In the tab that speaks for the browser also, once, for what this device has not
   * acknowledged before (the newest 100). A notification that was given is acknowledged by this device.
   */
  onNotification(listener: (notification: Notification, arrival: Arrival) => void): () => void;
  /**
   * Each change is shown at once, tried again for a minute when the server cannot be reached, and
   * taken back when it fails: then the promise is rejected with a `ClientError`.
   */
  markRead(ids: readonly string[]): Promise<void>;
  markUnread(ids: readonly string[]): Promise<void>;
  /** All that have come so far, of one category where given. */
  readAll(category?: string): Promise<void>;
  archive(ids: readonly string[]): Promise<void>;
  unarchive(ids: readonly string[]): Promise<void>;
  /** Deletes for ever. */
  remove(ids: readonly string[]): Promise<void>;
  /** Reads the next page. Does nothing when there is none, or one is on its way. */
  loadMore(): Promise<void>;
  setFilter(filter: InboxFilter): void;
  /** Reads what the user has set, and keeps it up to date from then on. Does nothing the second time. */
  openSettings(): void;
  /**
   * Changes some of what the user wants; what is left out stays as it is, so that changes on two
   * devices do not undo each other. Shown, repeated and taken back like every other change.
   *
   * @example
   * ```ts
   * await inbox.setPreferences({ categories: { ads: { mutedUntil: mutedForGood } } });
   * await inbox.setPreferences({ categories: { ads: { mutedUntil: null } }, quietHours: null });
   * ```
   */
  setPreferences(change: PreferencesChange): Promise<void>;
  /** From now on what is sent to the topic goes to this user too. */
  subscribeTopic(topic: string): Promise<void>;
  unsubscribeTopic(topic: string): Promise<void>;
  /** Tries at once what waits for its next attempt, and what was given up. */
  retry(): void;
  /**
   * Ends everything; changes that wait are rejected with `closed`. Nothing is shown any more: to be
   * called when the user signs out, before a store is made for the next one.
   */
  close(): void;
}

/** Ids that are remembered so that nothing is given to the application twice. */
const maxKnown = 2 * maxItems;
/** Most ids of one request. */
const maxChangeIds = 500;
/** A page that what happened meanwhile made useless is read again so often. */
const maxPageAttempts = 3;

/**
 * Makes the inbox of the user whose token `api` has.
 *
 * @example
 * ```ts
 * const api = createUserApi({ url, getToken });
 * const inbox = createInboxStore({ client, api });
 * inbox.onNotification(({ title }) => toast(title));
 * inbox.subscribe(() => render(inbox.getSnapshot()));
 * ```
 */
export function createInboxStore(options: InboxStoreOptions): InboxStore {
  return new LiveInbox(options);
}

class LiveInbox implements InboxStore {
  readonly #live: LiveStore<InboxState, InboxEvent, InboxChange, number>;
  readonly #api: InboxApi;
  readonly #acknowledger: Acknowledger;
  readonly #onNotification = new Set<Parameters<InboxStore['onNotification']>[0]>();
  readonly #known = new Set<string>();
  readonly #now: () => number;
  #filter: InboxFilter;
  #withSettings = false;
  readonly #initial: InboxSnapshot;
  #snapshot: InboxSnapshot;
  #isLoadingMore = false;
  readonly #listeners = new Set<() => void>();

  constructor(options: InboxStoreOptions) {
    const { client, api, path = '/api/inbox/me', pageSize = 20, filter = {} } = options;
    const environment = options.environment ?? createEnvironment();
    this.#filter = filter;
    this.#now = () => environment.now();
    this.#api = new InboxApi(api, { path, pageSize: Math.min(pageSize, 100) });
    this.#acknowledger = new Acknowledger({
      api: this.#api,
      device: () => options.device ?? deviceId(),
      onRedelivered: (notifications) => this.#redelivered(notifications),
      environment,
      backoff: { ...defaultBackoff, ...options.backoff },
    });
    this.#live = new LiveStore<InboxState, InboxEvent, InboxChange, number>(
      client,
      {
        load: (known, signal) => this.#api.load(this.#view, known, signal),
        apply: applied,
        overlay: overlaid,
        send: (change, signal) => this.#api.change(change, signal),
        isEnough: (known, { missedSince }) =>
          known === undefined || (missedSince !== undefined && missedSince <= known.newestId),
        contains: ({ version }, receipt) => version >= receipt,
        viewOf: () => JSON.stringify(this.#view),
      },
      {
        ...options,
        environment,
        hooks: {
          circleName: async () => {
            const user = await api.identity();
            const { device = '' } = options;
            const parts = ['inbox', api.url, path, user, device];
            return user === undefined ? undefined : JSON.stringify(parts);
          },
          onBase: (state, change) => this.#baseChanged(state, change),
          onLead: (isLead) => {
            if (isLead) this.#acknowledger.start();
            else this.#acknowledger.leave();
          },
        },
      },
    );
    this.#snapshot = this.#made();
    this.#initial = this.#snapshot;
    this.#live.onChange(() => this.#emit());
  }

  getSnapshot(): InboxSnapshot {
    return this.#snapshot;
  }

  getServerSnapshot(): InboxSnapshot {
    return this.#initial;
  }

  subscribe(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    this.#live.start();
    return () => void this.#listeners.delete(own);
  }

  onNotification(listener: Parameters<InboxStore['onNotification']>[0]): () => void {
    const own: typeof listener = (notification, arrival) => listener(notification, arrival);
    this.#onNotification.add(own);
    this.#live.start();
    return () => void this.#onNotification.delete(own);
  }

  markRead(ids: readonly string[]): Promise<void> {
    const at = this.#now();
    return this.#change(ids, (some) => ({ type: 'read', ids: some, at }));
  }

  markUnread(ids: readonly string[]): Promise<void> {
    return this.#change(ids, (some) => ({ type: 'unread', ids: some }));
  }

  async readAll(category?: string): Promise<void> {
    const upTo = this.#live.base?.newestId ?? '';
    if (upTo === '') return;
    const ofCategory = category === undefined ? {} : { category };
    await this.#live.change({ type: 'read_all', upTo, at: this.#now(), ...ofCategory });
  }

  archive(ids: readonly string[]): Promise<void> {
    return this.#change(ids, (some) => ({ type: 'archive', ids: some }));
  }

  unarchive(ids: readonly string[]): Promise<void> {
    return this.#change(ids, (some) => ({ type: 'unarchive', ids: some }));
  }

  remove(ids: readonly string[]): Promise<void> {
    return this.#change(ids, (some) => ({ type: 'delete', ids: some }));
  }

  async loadMore(): Promise<void> {
    if (this.#isLoadingMore) return;
    this.#isLoadingMore = true;
    this.#emit();
    try {
      const before = this.#live.base?.nextCursor;
      for (let attempt = 0; attempt < maxPageAttempts; attempt++) {
        await this.#readPage();
        if (this.#live.base?.nextCursor !== before) break;
      }
    } finally {
      this.#isLoadingMore = false;
      this.#emit();
    }
  }

  setFilter(filter: InboxFilter): void {
    if (JSON.stringify(filter) === JSON.stringify(this.#filter)) return;
    this.#filter = filter;
    const { base } = this.#live;
    const empty = { filter, items: [], nextCursor: null, isListed: false, missed: [] };
    this.#live.reset(base === undefined ? undefined : { ...base, ...empty });
  }

  openSettings(): void {
    if (this.#withSettings) return;
    this.#withSettings = true;
    this.#live.reset(this.#live.base);
    this.#live.start();
  }

  async setPreferences(change: PreferencesChange): Promise<void> {
    await this.#live.change({ type: 'preferences', change });
  }

  async subscribeTopic(topic: string): Promise<void> {
    await this.#live.change({ type: 'subscribe', topic: checkTopic(topic) });
  }

  async unsubscribeTopic(topic: string): Promise<void> {
    await this.#live.change({ type: 'unsubscribe', topic: checkTopic(topic) });
  }

  retry(): void {
    this.#live.retry();
  }

  close(): void {
    this.#acknowledger.stop();
    this.#live.close();
    this.#snapshot = this.#initial;
    for (const listener of this.#listeners) deliver(listener);
    this.#listeners.clear();
    this.#onNotification.clear();
  }

  get #view(): InboxView {
    return { filter: this.#filter, withSettings: this.#withSettings };
  }

  async #readPage(): Promise<void> {
    const { nextCursor: cursor, filter, items } = this.#live.base ?? {};
    if (cursor === null || cursor === undefined || filter === undefined) return;
    if (items === undefined || items.length >= maxItems) return;
    await this.#live.extend(async (_state, signal) => {
      const page = await this.#api.page({ filter, cursor }, signal);
      return { ...page, cursor, filter };
    }, withPage);
  }

  async #change(
    ids: readonly string[],
    changeOf: (ids: readonly string[]) => InboxChange,
  ): Promise<void> {
    const changes: InboxChange[] = [];
    for (let start = 0; start < ids.length; start += maxChangeIds) {
      changes.push(changeOf(ids.slice(start, start + maxChangeIds)));
    }
    await Promise.all(changes.map((change) => this.#live.change(change)));
  }

  #baseChanged(
    _state: InboxState,
    { previous, read, events }: BaseChange<InboxState, InboxEvent>,
  ): void {
    if (read !== undefined && previous !== undefined) {
      const missed = read.missed.filter(({ id }) => id > previous.newestId);
      this.#arrived(missed, { isSilent: false, isRedelivered: true });
    }
    for (const event of events) {
      if (event.type !== 'created') continue;
      this.#arrived([event.notification], { isSilent: event.silent, isRedelivered: false });
    }
  }

  #redelivered(notifications: readonly Notification[]): void {
    this.#arrived(notifications, { isSilent: false, isRedelivered: true });
  }

  #arrived(notifications: readonly Notification[], arrival: Omit<Arrival, 'isLead'>): void {
    const fresh = notifications.filter(({ id }) => !this.#known.has(id));
    this.#remember(fresh);
    const { isLead } = this.#live;
    for (const notification of fresh) {
      for (const listener of this.#onNotification) {
        deliver(() => listener(notification, { ...arrival, isLead }));
      }
    }
    this.#acknowledger.add(fresh.map(({ id }) => id));
  }

  #remember(notifications: readonly Notification[]): void {
    for (const { id } of notifications) this.#known.add(id);
    for (const id of this.#known) {
      if (this.#known.size <= maxKnown) break;
      this.#known.delete(id);
    }
  }

  #emit(): void {
    this.#snapshot = this.#made();
    for (const listener of this.#listeners) deliver(listener);
  }

  #made(): InboxSnapshot {
    const { status, state, problem, unconfirmed } = this.#live.snapshot;
    // A reading that began before the filter was changed brings the list of the one before.
    const list =
      state !== undefined && isSameFilter(state.filter, this.#filter) ? state : undefined;
    return {
      status,
      problem,
      filter: this.#filter,
      items: list?.items ?? [],
      isListed: list?.isListed ?? false,
      hasMore: list !== undefined && list.nextCursor !== null && list.items.length < maxItems,
      isLoadingMore: this.#isLoadingMore,
      unread: state?.unread ?? nothingUnread,
      unconfirmed,
      settings: state?.settings,
    };
  }
}

/** Those few names stand for something else in the path of a URL; the server knows about all others. */
function checkTopic(topic: string): string {
  if (!/^\.{0,2}$/.test(topic)) return topic;
  throw new ClientError('misused', `there can be no topic of the name '${topic}'`);
}

const nothingUnread: UnreadCounts = { total: 0, byCategory: {} };
