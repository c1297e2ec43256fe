import type { Client } from '../client.ts';
import { ClientError } from '../client-error.ts';
import { deliver } from '../deliver.ts';
import { createEnvironment, type Environment } from '../environment.ts';
import { type LocksLike, platformLocks } from '../shared/web-locks.ts';
import type { Subscription, SubscriptionState } from '../subscription.ts';
import type { Position } from '../wire.ts';
import { defaultBackoff } from './backoff.ts';
import { ChangeQueue } from './change-queue.ts';
import type { BaseChange, LiveStoreHooks, LiveStoreOptions } from './live-options.ts';
import type { LiveSource, Loaded } from './live-source.ts';
import { Overlays } from './overlays.ts';
import { ReadLoop } from './read-loop.ts';
import { joinTabCircle, type TabCircle } from './tab-circle.ts';

/**
 * - `loading`: there is nothing to show yet.
 * - `live`: what is shown is what the server has, and follows it.
 * - `stale`: what is shown was so; the store is finding its way back by itself.
 * - `failed`: the server said that trying again is useless; see `problem`, and `retry()`.
 */
export type LiveStatus = 'loading' | 'live' | 'stale' | 'failed';

/** What there is to show. Never changed in place: a new one after each change. */
export interface LiveSnapshot<State> {
  readonly status: LiveStatus;
  /** With changes that the server has not told of yet. */
  readonly state: State | undefined;
  /** The newest failure, until something succeeds. */
  readonly problem: ClientError | undefined;
  /** Changes of this tab that the server has not answered yet. */
  readonly unconfirmed: number;
}

type CircleMessage<State, Change, Receipt> =
  | { readonly kind: 'ask' }
  | { readonly kind: 'loaded'; readonly view: string; readonly loaded: Loaded<State> }
  | { readonly kind: 'change'; readonly id: string; readonly change: Change }
  | { readonly kind: 'done'; readonly id: string; readonly receipt: Receipt }
  | { readonly kind: 'undone'; readonly id: string };

/** Events that are kept while the state is read anew; beyond that it is read once more. */
const maxRecord = 2_000;
/** How long another tab may take to hand over what it has, before this one asks the server. */
const answerMs = 300;
/** How long another tab's request may keep this one from making its own. */
const aloneMs = 5_000;
/** How long the event of a change may be under way, before everything is read anew. */
const confirmMs = 10_000;

/**
 * Shows a state that the server owns: reads it together with the position of the channel that
 * continues it, follows that channel, and lays changes of the user over it until the server tells of
 * them. See `live-store.spec.md` for the rules.
 */
export class LiveStore<State, Event, Change, Receipt> {
  readonly #client: Pick<Client, 'subscribe' | 'state' | 'onChange'>;
  readonly #source: LiveSource<State, Event, Change, Receipt>;
  readonly #hooks: LiveStoreHooks<State, Event>;
  readonly #environment: Environment;
  readonly #locks: LocksLike | undefined;
  readonly #queue: ChangeQueue<Change, Receipt>;
  readonly #changeTimeoutMs: number;
  readonly #listeners = new Set<() => void>();
  readonly #closed = new AbortController();
  readonly #overlays: Overlays<State, Change, Receipt>;
  readonly #recorders = new Set<Event[]>();
  readonly #reads: ReadLoop<Loaded<State>>;
  #snapshot: LiveSnapshot<State>;
  #base: State | undefined;
  #problem: ClientError | undefined;
  #circle: TabCircle<CircleMessage<State, Change, Receipt>> | undefined;
  #subscription: Subscription<Event> | undefined;
  /** Where the subscription came back without what happened in between. */
  #joinedAt: Position | undefined;
  /** What happened since the newest wish to read anew. */
  #record: Event[] = [];
  #offer: Loaded<State> | undefined;
  #onOffer: () => void = () => undefined;
  #stopWatching: () => void = () => undefined;
  readonly #timers = new Set<() => void>();
  #isStarted = false;
  #wasLead = false;

  constructor(
    client: Pick<Client, 'subscribe' | 'state' | 'onChange'>,
    source: LiveSource<State, Event, Change, Receipt>,
    { hooks, ...options }: LiveStoreOptions & { readonly hooks: LiveStoreHooks<State, Event> },
  ) {
    this.#client = client;
    this.#source = source;
    this.#overlays = new Overlays<State, Change, Receipt>(source);
    this.#hooks = hooks;
    this.#environment = options.environment ?? createEnvironment();
    const backoff = { ...defaultBackoff, ...options.backoff };
    this.#reads = new ReadLoop({
      read: () => this.#read(),
      install: (loaded, settle) => this.#install(loaded, settle),
      onFailed: (problem) => {
        this.#problem = problem;
        this.#emit();
      },
      environment: this.#environment,
      backoff,
      signal: this.#closed.signal,
    });
    this.#locks = options.locks ?? platformLocks();
    this.#changeTimeoutMs = options.changeTimeoutMs ?? 60_000;
    this.#queue = new ChangeQueue<Change, Receipt>({
      send: (change, signal) => this.#source.send(change, signal),
      onDone: ({ id, receipt }) => this.#confirmed(id, receipt as Receipt, true),
      onFailed: ({ id }) => this.#takenBack(id, true),
      environment: this.#environment,
      backoff,
      maxSize: options.maxChanges ?? 100,
      timeoutMs: this.#changeTimeoutMs,
    });
    this.#snapshot = { status: 'loading', state: undefined, problem: undefined, unconfirmed: 0 };
  }

  /** The same object until something changes. */
  get snapshot(): LiveSnapshot<State> {
    return this.#snapshot;
  }

  /** What the server told, without changes that it has not told of. */
  get base(): State | undefined {
    return this.#base;
  }

  /** Whether this tab speaks for the browser. */
  get isLead(): boolean {
    return this.#circle?.isLead ?? false;
  }

  onChange(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Begins to read and to follow. Does nothing the second time. */
  start(): void {
    if (this.#isStarted || this.#closed.signal.aborted) return;
    this.#isStarted = true;
    let wasConnected = this.#client.state.status === 'connected';
    const stopClient = this.#client.onChange(() => {
      const isConnected = this.#client.state.status === 'connected';
      if (isConnected && !wasConnected) this.retry();
      wasConnected = isConnected;
      this.#emit();
    });
    const stopSignals = this.#environment.onSignal((signal) => {
      if (signal === 'online' || signal === 'resume') this.retry();
      else if (signal === 'suspend') {
        this.#queue.flush();
        this.#overlays.removeForeign();
      }
    });
    this.#stopWatching = () => {
      stopClient();
      stopSignals();
    };
    this.#want();
  }

  /** Tries at once what waits for its next attempt, and what was given up. */
  retry(): void {
    if (this.#reads.hasFailed) {
      this.#reads.resume();
      if (this.#subscription?.state.status === 'unsubscribed') this.#endSubscription();
      this.#want();
    }
    this.#reads.hurry();
    this.#queue.run();
  }

  /**
   * Shows a change at once and carries it out. The promise is fulfilled when the server has, and
   * rejected when the change was taken back.
   *
   * @throws {@link ClientError} `queue_full`, `closed`, and what the server answered
   */
  async change(change: Change): Promise<void> {
    const { pending, done } = this.#queue.add(change);
    this.#overlays.add(pending);
    this.#circle?.post({ kind: 'change', id: pending.id, change });
    this.#emit();
    this.#queue.run();
    await done;
  }

  /**
   * Joins more to the state, such as the next page.
   *
   * @param read - what it throws is thrown here
   * @param merge - pure; `events` are those that happened since `read` began, which what was read may
   * contain or not
   */
  async extend<More>(
    read: (state: State, signal: AbortSignal) => Promise<More>,
    merge: (state: State, more: More, events: readonly Event[]) => State,
  ): Promise<void> {
    if (this.#base === undefined) return;
    const events: Event[] = [];
    this.#recorders.add(events);
    try {
      const more = await read(this.#base, this.#closed.signal);
      if (this.#closed.signal.aborted || events.length > maxRecord) return;
      this.#setBase(merge(this.#base, more, events), { read: undefined, events: [] });
    } finally {
      this.#recorders.delete(events);
    }
  }

  /** Shows another view of the same: what is shown until it was read, when not nothing. */
  reset(state: State | undefined): void {
    this.#base = state;
    this.#offer = undefined;
    if (this.#isStarted) this.#want();
    this.#emit();
  }

  /** Ends everything. Changes that wait are rejected with `closed`. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    for (const cancel of this.#timers) cancel();
    this.#queue.close();
    this.#stopWatching();
    this.#endSubscription();
    this.#circle?.close();
    this.#listeners.clear();
  }

  /** @param event - the one that shows that something is missing */
  #want(event?: Event): void {
    if (!this.#reads.isDue) this.#record = event === undefined ? [] : [event];
    this.#reads.want();
  }

  /** From another tab that has it, or from the server, for the other tabs too. */
  async #read(): Promise<Loaded<State>> {
    const circle = await this.#joinCircle();
    const isFirst = this.#base === undefined && this.#subscription === undefined;
    if (isFirst && !circle.isLead) await this.#askAround(circle);
    return circle.alone(aloneMs, async () => {
      if (this.#offer !== undefined && this.#isRecent(this.#offer)) return this.#offer;
      const view = this.#source.viewOf();
      const loaded = await this.#source.load(this.#base, this.#closed.signal);
      circle.post({ kind: 'loaded', view, loaded });
      return loaded;
    });
  }

  /** A lead answers within milliseconds; if there is none, this tab is about to become it. */
  #askAround(circle: TabCircle<CircleMessage<State, Change, Receipt>>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#environment.after(answerMs, resolve);
      this.#onOffer = () => {
        cancel();
        resolve();
      };
      circle.post({ kind: 'ask' });
    });
  }

  /** What another tab read is as good as what this one could read. */
  #isRecent({ position, state }: Loaded<State>): boolean {
    if (!this.#source.isEnough(this.#base, state)) return false;
    if (this.#subscription === undefined) return true;
    if (position === null) return false;
    const { epoch, offset } = this.#joinedAt ?? {};
    return position.epoch === epoch && offset !== undefined && position.offset >= offset;
  }

  #install(loaded: Loaded<State>, settle: () => void): void {
    const events: Event[] = [];
    let state: State | undefined = loaded.state;
    for (const event of this.#record) {
      const before: State = state;
      state = this.#source.apply(before, event);
      if (state === undefined) break;
      if (state !== before) events.push(event);
    }
    this.#problem = undefined;
    this.#offer = undefined;
    const isWhole = state !== undefined && this.#record.length <= maxRecord;
    // Otherwise it is read once more, with what happened since kept for that.
    if (isWhole || this.#record.length > maxRecord) this.#record = [];
    if (isWhole) settle();
    if (isWhole || this.#base === undefined) {
      this.#setBase(state ?? loaded.state, { read: loaded.state, events });
    }
    this.#follow(loaded);
    this.#emit();
  }

  #follow({ channel, position }: Loaded<State>): void {
    if (this.#subscription?.channel === channel) return;
    this.#endSubscription();
    if (channel === null) return;
    const subscription = this.#client.subscribe<Event>(channel, {
      recoverable: true,
      ...(position === null ? {} : { since: position }),
      onPublication: ({ data }) => this.#event(data),
      onSubscribed: (state) => this.#subscribed(state),
    });
    this.#subscription = subscription;
    subscription.onChange(() => this.#subscriptionChanged());
    // Somebody else in this page has the channel: what happened before is not told again.
    if (subscription.state.status === 'subscribed') this.#subscribed(subscription.state);
  }

  #endSubscription(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
    this.#joinedAt = undefined;
  }

  #subscribed({ recovered, position }: SubscriptionState): void {
    if (recovered === true) return;
    this.#joinedAt = position;
    this.#offer = undefined;
    this.#want();
  }

  #subscriptionChanged(): void {
    const { status, problem } = this.#subscription?.state ?? {};
    if (status === 'unsubscribed') {
      this.#reads.fail();
      this.#problem = new ClientError(
        'refused',
        `the server does not let this user follow the channel: ${problem?.message ?? ''}`,
        problem === undefined ? {} : { code: problem.code },
      );
    }
    this.#emit();
  }

  #event(event: Event): void {
    for (const recorder of this.#recorders) record(recorder, event);
    const isReading = this.#reads.isDue;
    if (isReading) record(this.#record, event);
    if (this.#base === undefined) return;
    const next = this.#source.apply(this.#base, event);
    if (next === undefined) {
      if (!isReading) this.#want(event);
    } else if (next !== this.#base) this.#setBase(next, { read: undefined, events: [event] });
  }

  #setBase(state: State, how: Omit<BaseChange<State, Event>, 'previous'>): void {
    const previous = this.#base;
    this.#base = state;
    this.#overlays.removeContained(state);
    this.#emit();
    deliver(() => this.#hooks.onBase?.(state, { ...how, previous }));
  }

  #confirmed(id: string, receipt: Receipt, isOwn: boolean): void {
    if (isOwn) this.#circle?.post({ kind: 'done', id, receipt });
    this.#overlays.confirm(id, receipt);
    if (this.#base !== undefined) this.#overlays.removeContained(this.#base);
    this.#emit();
    if (!this.#overlays.has(id)) return;
    this.#later(confirmMs, () => {
      if (this.#overlays.has(id)) this.#want();
    });
  }

  #takenBack(id: string, isOwn: boolean): void {
    this.#overlays.remove(id);
    if (isOwn) this.#circle?.post({ kind: 'undone', id });
    this.#emit();
  }

  async #joinCircle(): Promise<TabCircle<CircleMessage<State, Change, Receipt>>> {
    if (this.#circle !== undefined) return this.#circle;
    const name = await this.#hooks.circleName();
    if (this.#closed.signal.aborted) throw new ClientError('closed', 'the store was closed');
    const circle = joinTabCircle<CircleMessage<State, Change, Receipt>>({
      name,
      locks: this.#locks,
      environment: this.#environment,
      onMessage: (message) => this.#heard(message),
      onLead: () => {
        this.#onOffer();
        this.#emit();
      },
    });
    this.#circle = circle;
    return circle;
  }

  #heard(message: CircleMessage<State, Change, Receipt>): void {
    switch (message.kind) {
      case 'ask':
        this.#answer();
        break;
      case 'loaded':
        if (!this.#reads.isReading || message.view !== this.#source.viewOf()) break;
        this.#offer = message.loaded;
        this.#onOffer();
        break;
      case 'change':
        this.#overlayForeign(message.id, message.change);
        break;
      case 'done':
        this.#confirmed(message.id, message.receipt, false);
        break;
      case 'undone':
        this.#takenBack(message.id, false);
        break;
    }
  }

  #answer(): void {
    const { channel, state } = this.#subscription ?? {};
    const position = state?.position;
    if (!this.isLead || this.#statusNow() !== 'live') return;
    if (this.#base === undefined || channel === undefined || position === undefined) return;
    const loaded = { state: this.#base, channel, position };
    this.#circle?.post({ kind: 'loaded', view: this.#source.viewOf(), loaded });
  }

  /** Another tab's change; when that tab dies before it tells the end, it is forgotten. */
  #overlayForeign(id: string, change: Change): void {
    this.#overlays.add({ id, change, isForeign: true });
    this.#emit();
    this.#later(this.#changeTimeoutMs + confirmMs, () => this.#takenBack(id, false));
  }

  #statusNow(): LiveStatus {
    if (this.#reads.hasFailed) return 'failed';
    if (this.#base === undefined) return 'loading';
    const isCurrent =
      !this.#reads.isDue &&
      this.#subscription?.state.status === 'subscribed' &&
      this.#client.state.status === 'connected';
    return isCurrent ? 'live' : 'stale';
  }

  #emit(): void {
    if (this.#closed.signal.aborted) return;
    const base = this.#base;
    const state = base === undefined ? undefined : this.#overlays.over(base);
    const next: LiveSnapshot<State> = {
      status: this.#statusNow(),
      state,
      problem: this.#problem,
      unconfirmed: this.#overlays.unconfirmed,
    };
    const isLead = this.isLead && next.status === 'live';
    const hasChanged = !isSame(this.#snapshot, next);
    if (hasChanged) this.#snapshot = next;
    if (isLead !== this.#wasLead) {
      this.#wasLead = isLead;
      deliver(() => this.#hooks.onLead?.(isLead));
    }
    if (hasChanged) for (const listener of this.#listeners) deliver(listener);
  }

  /** Not after `close`, when a timer would only keep a process alive. */
  #later(delayMs: number, action: () => void): void {
    const cancel = this.#environment.after(delayMs, () => {
      this.#timers.delete(cancel);
      action();
    });
    this.#timers.add(cancel);
  }
}

function record<Event>(events: Event[], event: Event): void {
  // One more than the most shows that some are not there.
  if (events.length <= maxRecord) events.push(event);
}

function isSame(one: object, other: object): boolean {
  return Object.entries(other).every(
    ([name, value]) => (one as Record<string, unknown>)[name] === value,
  );
}
