import type {
  Notification,
  Preferences,
  PreferencesChange,
  UnreadCounts,
} from '@holdfast/protocol/inbox';
import { Changes, type ChangeResult } from './changes.ts';
import {
  DeadLetters,
  type DeadLetterListOptions,
  type DeadLetterPage,
  type DeadLetterRetry,
  type DeadLetterSelection,
} from './dead-letters.ts';
import { Deliveries, type DeliveryState, type Redelivery } from './deliveries.ts';
import { Escalations } from './escalations.ts';
import { FanOut } from './fan-out.ts';
import type { InboxTables } from './inbox-module.ts';
import { Mailboxes, type SettingResult } from './mailbox.ts';
import { InboxMetrics } from './metrics.ts';
import { settingsOf, type InboxOptions } from './options.ts';
import { PreferenceBook } from './preferences.ts';
import {
  InboxReader,
  type InboxSnapshot,
  type ListOptions,
  type NotificationPage,
  type NumberedPage,
  type PageOptions,
  type SnapshotOptions,
} from './reader.ts';
import { addRetentionJobs } from './retention-jobs.ts';
import type { SendResult, SendStatus } from './send-rows.ts';
import { Sends, type SendRequest } from './sends.ts';
import { Topics } from './topics.ts';
import { InboxWorker } from './worker.ts';

/**
 * Durable notifications. Whatever an operation promises is committed when it resolves; the events
 * that tell of it are committed with it and reach the user's channel through the store's outbox.
 *
 * Operations of users take the user's id from whoever authenticated the user, and act on nothing
 * but that user's own: ids of others are reported as not found. All are idempotent.
 */
export interface Inbox {
  /**
   * Sends to one user, a list, or a topic. Up to 500 users are served before this resolves; more,
   * topics and later times are queued durably and go on by themselves, also after a restart.
   * @throws `InboxError` `inbox_invalid` or `inbox_idempotency_conflict`
   */
  send(request: SendRequest): Promise<SendResult>;
  /** How far a send is. @throws `InboxError` `inbox_not_found` */
  sendStatus(id: string): Promise<SendStatus>;
  /**
   * Stops a send; with `recall` takes back what it has stored, and resolves when all of it is gone.
   * Repeat it when it broke off. @throws `InboxError` `inbox_not_found`
   */
  cancel(id: string, options?: { readonly recall?: boolean }): Promise<SendStatus>;
  /** Where one notification is, by device and escalation. @throws `InboxError` `inbox_not_found` */
  deliveryState(notificationId: string): Promise<DeliveryState>;
  /** What targets of escalation did not take after the last attempt. @throws `InboxError` `inbox_invalid` */
  deadLetters(options?: DeadLetterListOptions): Promise<DeadLetterPage>;
  /**
   * Tries dead letters again, up to 500 in one call, and says which of them nobody needs any more.
   * Idempotent. @throws `InboxError` `inbox_invalid`
   */
  retryDeadLetters(selection?: DeadLetterSelection): Promise<DeadLetterRetry>;

  /** One page of a user's notifications, newest first. @throws `InboxError` `inbox_invalid` */
  list(user: string, options?: ListOptions): Promise<NotificationPage>;
  /** One numbered page, with the number of all. @throws `InboxError` `inbox_invalid` */
  page(user: string, options: PageOptions): Promise<NumberedPage>;
  /** Unread notifications of a user, together and by category. */
  counts(user: string): Promise<UnreadCounts>;
  /** First page, counts, and the position from which events continue them. */
  snapshot(user: string, options?: SnapshotOptions): Promise<InboxSnapshot>;
  /** The user's own among these ids, in no particular order. */
  get(user: string, ids: readonly string[]): Promise<readonly Notification[]>;

  /** 1 to 500 ids, as those below; nothing that is read escalates. @throws `InboxError` `inbox_invalid` */
  markRead(user: string, ids: readonly string[]): Promise<ChangeResult>;
  markUnread(user: string, ids: readonly string[]): Promise<ChangeResult>;
  /**
   * Marks as read what is unread now, up to and including `upTo` and of one category where these are
   * given, so that what arrives while the user clicks stays unread.
   * @throws `InboxError` `inbox_invalid`
   */
  readAll(
    user: string,
    options?: { readonly upTo?: string; readonly category?: string },
  ): Promise<Omit<ChangeResult, 'notFound'>>;
  /** Takes notifications out of the list and the counts; nothing of them escalates. */
  archive(user: string, ids: readonly string[]): Promise<ChangeResult>;
  /** Puts archived ones back, read or unread as they were. */
  unarchive(user: string, ids: readonly string[]): Promise<ChangeResult>;
  /** Deletes for ever, whether listed or archived. */
  delete(user: string, ids: readonly string[]): Promise<ChangeResult>;

  /** A device has connected: gives it what is unread and was not acknowledged by it. */
  connect(user: string, device: string): Promise<Redelivery>;
  /** A device has these, 1 to 500. None of them escalates any more, unless it was to do so at once. */
  acknowledge(
    user: string,
    device: string,
    ids: readonly string[],
  ): Promise<{ readonly acknowledged: readonly string[]; readonly notFound: readonly string[] }>;

  /** What a user wants; what is left out follows the configuration. */
  preferences(user: string): Promise<Preferences>;
  /** Replaces all of a user's preferences. @throws `InboxError` `inbox_invalid` */
  setPreferences(user: string, preferences: Preferences): Promise<Preferences>;
  /**
   * Changes some of a user's preferences, so that changes on two devices do not undo each other.
   * @throws `InboxError` `inbox_invalid`
   */
  changePreferences(
    user: string,
    change: PreferencesChange,
  ): Promise<SettingResult & { readonly preferences: Preferences }>;

  /** A user can have 1,000 topics. @throws `InboxError` `inbox_invalid` */
  subscribe(user: string, topic: string): Promise<SettingResult>;
  unsubscribe(user: string, topic: string): Promise<SettingResult>;
  /** What a user is subscribed to, in order of the names. */
  topics(user: string): Promise<readonly string[]>;
  countSubscribers(topic: string): Promise<number>;

  /** The channel that carries a user's `InboxEvent`s. */
  channelOf(user: string): string;
  /** What happened in this process. */
  readonly metrics: InboxMetrics;
  /** Ends background work after what is under way. The store stays open. */
  close(): Promise<void>;
}

/**
 * Makes the inbox on an open store, and starts its background work.
 *
 * @example
 * ```ts
 * const store = await openStore({ url: 'sqlite:./data/holdfast.db', modules: [inboxModule] });
 * store.outbox.start({ publish: (channel, data, options) => hub.publish(channel, data, options) });
 * const inbox = createInbox({
 *   store,
 *   position: async (channel) => (await hub.history(channel, { limit: 0 })).position,
 * });
 * await inbox.send({ to: { user: '42' }, category: 'orders', title: 'Your order has left' });
 * ```
 */
export function createInbox(options: InboxOptions): Inbox {
  const store = options.store.withTables<InboxTables>();
  const settings = settingsOf(options);
  const onProblem = options.onProblem ?? ((): void => {});
  const mailboxes = new Mailboxes(store, settings);
  const preferences = new PreferenceBook(store, settings, mailboxes);
  const changes = new Changes(store, mailboxes);
  const deliveries = new Deliveries(store, settings, mailboxes);
  const topics = new Topics(store, mailboxes);
  const reader = new InboxReader(
    { mailboxes, preferences, topics },
    { store, settings, position: options.position },
  );
  const fanOut = new FanOut({ mailboxes, preferences }, { store, settings });
  const sends = new Sends({ mailboxes, fanOut }, { store, wakeWorker: () => worker.wake() });
  const metrics = new InboxMetrics();
  const escalations = new Escalations({ preferences, metrics }, { ...options, store });
  const deadLetters = new DeadLetters(preferences, {
    store,
    settings,
    wakeWorker: () => worker.wake(),
  });
  const worker = new InboxWorker({ store, sends, escalations, onProblem });
  addRetentionJobs(store, settings, mailboxes);

  return {
    send: (request) => sends.send(request),
    sendStatus: (id) => sends.status(id),
    cancel: (id, how) => sends.cancel(id, how),
    deliveryState: (id) => deliveries.state(id),
    deadLetters: (how) => deadLetters.list(how),
    retryDeadLetters: (selection) => deadLetters.retry(selection),
    list: (user, how) => reader.list(user, how),
    page: (user, how) => reader.page(user, how),
    counts: (user) => reader.counts(user),
    snapshot: (user, how) => reader.snapshot(user, how),
    get: (user, ids) => reader.get(user, ids),
    markRead: (user, ids) => changes.markRead(user, ids),
    markUnread: (user, ids) => changes.markUnread(user, ids),
    readAll: (user, how) => changes.readAll(user, how),
    archive: (user, ids) => changes.archive(user, ids),
    unarchive: (user, ids) => changes.unarchive(user, ids),
    delete: (user, ids) => changes.delete(user, ids),
    connect: (user, device) => deliveries.connect(user, device),
    acknowledge: (user, device, ids) => deliveries.acknowledge(user, device, ids),
    preferences: (user) => preferences.get(user),
    setPreferences: (user, wishes) => preferences.set(user, wishes),
    changePreferences: (user, change) => preferences.change(user, change),
    subscribe: (user, topic) => topics.subscribe(user, topic),
    unsubscribe: (user, topic) => topics.unsubscribe(user, topic),
    topics: (user) => topics.of(user),
    countSubscribers: (topic) => topics.countSubscribers(topic),
    channelOf: settings.channelOf,
    metrics,
    close: () => worker.close(),
  };
}
