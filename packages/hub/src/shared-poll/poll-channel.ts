import type { Publication } from '@holdfast/protocol';
import { loseState } from '../end-subscription.ts';
import type { PolledItem } from '../events.ts';
import type { HubContext } from '../hub-context.ts';
import { SharedPush } from '../message-encoder.ts';
import type { ChannelRules } from '../namespaces.ts';
import type { Subscription } from '../subscription.ts';
import { neverDue, type Sleeper } from '../timer-wheel.ts';

/** What one subscription knows of a key that it tracks. */
interface Tracker {
  /** The version its client has; 0 for none. */
  version: number;
  /** Unix seconds at which the permission to track ends. */
  expireAt: number;
}

interface KeyState {
  /** 0 until the backend has told something about the key. */
  version: number;
  data: Uint8Array | undefined;
  readonly trackers: Map<Subscription, Tracker>;
}

/**
 * One shared-poll channel of this node: asks the backend for the keys that anybody here tracks, and
 * tells each subscription what is newer than what its client has.
 *
 * Invariants: a subscription gets a version of a key at most once, and never an older one after a
 * newer one; at most one poll of the whole channel is under way; keys nobody tracks are forgotten at
 * the next poll.
 */
export class PollChannel implements Sleeper {
  readonly name: string;
  readonly rules: ChannelRules;
  wakeTick: number = neverDue;
  readonly subscriptions: Set<Subscription> = new Set();
  /** Changes when versions start anew: ours in versionless mode, else the backend's. */
  epoch: string;
  readonly #hub: HubContext;
  readonly #keys = new Map<string, KeyState>();
  readonly #onIdle: () => void;
  #coldKeys = new Set<string>();
  #isPolling = false;
  /** Makes versions where the backend has none; never goes back while the channel lives. */
  #counter = 0;
  #abort = new AbortController();
  #pollAt = Infinity;
  #idleAt = Infinity;

  constructor(
    hub: HubContext,
    channel: { readonly name: string; readonly rules: ChannelRules },
    onIdle: () => void,
  ) {
    this.#hub = hub;
    this.name = channel.name;
    this.rules = channel.rules;
    this.#onIdle = onIdle;
    this.epoch = this.#isVersionless ? hub.randomId().replaceAll('-', '').slice(0, 8) : '';
  }

  get #options() {
    return this.rules.options.sharedPoll;
  }

  get #isVersionless(): boolean {
    return this.#options.mode === 'versionless';
  }

  add(subscription: Subscription): void {
    this.subscriptions.add(subscription);
    subscription.epoch = this.epoch;
    this.#idleAt = Infinity;
    if (this.#pollAt === Infinity) this.#schedulePoll();
  }

  remove(subscription: Subscription): void {
    if (!this.subscriptions.delete(subscription)) return;
    for (const { trackers } of this.#keys.values()) trackers.delete(subscription);
    if (this.subscriptions.size > 0) return;
    this.#idleAt = this.#hub.clock.monotonic() + this.#options.channelShutdownDelayMs;
    this.#hub.timers.schedule(this, this.#idleAt);
  }

  /** Keys that a subscription tracks. */
  trackedBy(subscription: Subscription): readonly string[] {
    return [...this.#keys]
      .filter(([, { trackers }]) => trackers.has(subscription))
      .map(([key]) => key);
  }

  /** Begins or renews tracking. What the client lacks is sent at once, or as soon as it is known. */
  track(
    subscription: Subscription,
    { key, version, expireAt }: { key: string; version: number; expireAt: number },
  ): void {
    let state = this.#keys.get(key);
    if (state === undefined) {
      state = { version: 0, data: undefined, trackers: new Map() };
      this.#keys.set(key, state);
    }
    const tracker = state.trackers.get(subscription);
    if (tracker === undefined) state.trackers.set(subscription, { version, expireAt });
    else Object.assign(tracker, { version, expireAt });
    if (state.data === undefined) this.#pollSoon(key);
    else this.#tell(key, state);
  }

  untrack(subscription: Subscription, key: string): void {
    this.#keys.get(key)?.trackers.delete(subscription);
  }

  /** A version that did not come from a poll. */
  publish(item: PolledItem): void {
    this.#take(item);
  }

  // ---- polling ----

  wake(now: number): number {
    if (now >= this.#idleAt && this.subscriptions.size === 0) {
      this.#pollAt = Infinity;
      this.#idleAt = Infinity;
      this.#keys.clear();
      this.#abort.abort();
      this.#onIdle();
      return Infinity;
    }
    if (now >= this.#pollAt) {
      this.#schedulePoll();
      this.#forget();
      void this.#poll([...this.#keys.keys()]);
    }
    return Math.min(this.#pollAt, this.#idleAt);
  }

  #schedulePoll(): void {
    this.#pollAt = this.#hub.clock.monotonic() + this.#options.refreshIntervalMs;
    this.#hub.timers.schedule(this, this.#pollAt);
  }

  /** Drops trackers whose permission is over, and keys that nobody tracks. */
  #forget(): void {
    const now = (this.#hub.clock.now() - this.#options.trackExpiredExtraDelayMs) / 1000;
    for (const [key, { trackers }] of this.#keys) {
      for (const [subscription, { expireAt }] of trackers) {
        if (now >= expireAt) trackers.delete(subscription);
      }
      if (trackers.size === 0) this.#keys.delete(key);
    }
  }

  /** Polls a key that nothing is known about yet, together with the others of this turn. */
  #pollSoon(key: string): void {
    this.#coldKeys.add(key);
    if (this.#coldKeys.size > 1) return;
    setImmediate(() => {
      const keys = [...this.#coldKeys];
      this.#coldKeys = new Set();
      void this.#ask(keys);
    });
  }

  async #poll(keys: readonly string[]): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    try {
      await this.#ask(keys);
    } finally {
      this.#isPolling = false;
    }
  }

  async #ask(keys: readonly string[]): Promise<void> {
    const { refreshBatchSize } = this.#options;
    for (let start = 0; start < keys.length; start += refreshBatchSize) {
      await this.#askBatch(keys.slice(start, start + refreshBatchSize));
    }
  }

  async #askBatch(keys: readonly string[]): Promise<void> {
    const { namespace, options } = this.rules;
    const items = keys.map((key) => {
      const version = this.#keys.get(key)?.version ?? 0;
      return version > 0 && !this.#isVersionless ? { key, version } : { key };
    });
    try {
      const answer = await this.#hub.ask('polling', {
        channel: this.name,
        namespace,
        options,
        items,
        signal: this.#abort.signal,
      });
      if (answer === undefined) return;
      if (this.#startsAnew(answer.epoch)) return;
      const asked = new Set(keys);
      for (const item of answer.items) if (asked.has(item.key)) this.#take(item);
    } catch (error) {
      this.#hub.refusalOf(error, { channel: this.name, polling: keys.length });
    }
  }

  /** The backend's versions began again: nobody's versions mean anything any more. */
  #startsAnew(epoch = ''): boolean {
    if (this.#isVersionless || epoch === this.epoch) return false;
    const isFirst =
      this.epoch === '' && [...this.#keys.values()].every(({ version }) => version === 0);
    this.epoch = epoch;
    if (!isFirst) this.#keys.clear();
    // Clients drop their versions when they are told another epoch than before, so even those that
    // came before the first one was known must be told it.
    for (const subscription of this.subscriptions) {
      if (subscription.epoch !== epoch) loseState(subscription);
    }
    return !isFirst;
  }

  #take({ key, data, version = 0, removed = false }: PolledItem): void {
    const state = this.#keys.get(key);
    if (state === undefined) return;
    if (removed) {
      this.#keys.delete(key);
      const push = this.#share({ key, removed: true });
      for (const subscription of state.trackers.keys()) subscription.deliverShared(push);
      return;
    }
    if (data === undefined) return;
    const isNews = this.#isVersionless
      ? state.data === undefined || Buffer.compare(state.data, data) !== 0
      : version > state.version;
    if (!isNews) return;
    this.#counter += 1;
    state.version = this.#isVersionless ? this.#counter : version;
    state.data = data;
    this.#tell(key, state);
  }

  /** Sends the state of a key to those whose clients have an older one. */
  #tell(key: string, { version, data, trackers }: KeyState): void {
    if (data === undefined) return;
    const push = this.#share({ key, data, version });
    for (const [subscription, tracker] of trackers) {
      if (tracker.version >= version) continue;
      tracker.version = version;
      subscription.deliverShared(push);
    }
  }

  #share(pub: Publication): SharedPush {
    return new SharedPush({ channel: this.name, pub });
  }
}
