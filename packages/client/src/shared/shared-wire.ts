import { ClientError } from '../client-error.ts';
import { type ConnectionState, idleState } from '../connection-state.ts';
import { createEnvironment, type Environment } from '../environment.ts';
import type { ConnectionOptions } from '../options.ts';
import type {
  Call,
  ChannelEvent,
  ChannelOptions,
  KeyedEvent,
  KeyedHandle,
  KeyedRequest,
  Position,
  Wire,
  WireEvents,
} from '../wire.ts';
import { type Bus, openBus } from './bus.ts';
import { FollowedChannel, type FollowedChannelLinks } from './followed-channel.ts';
import {
  type Envelope,
  type FollowedEvent,
  type Leader,
  type LeaderMessage,
  type Question,
  type TabMessage,
  sharedName,
  tabLockName,
} from './messages.ts';
import { StatefulChannel } from './stateful-channel.ts';
import { Switchboard } from './switchboard.ts';
import { holdLock, type LocksLike } from './web-locks.ts';

/** How often a tab looks whether its leader is alive. */
const watchMs = 3_000;
/** So many looks without a sign, and one to three more by chance, and the leader is deposed. */
const patience = 3;
/** A leader that nobody has seen for this long leaves the connection to a tab that is seen. */
const hiddenTooLongMs = 60_000;
/** So many looks are left to a worker that does not begin to lead, before a tab does. */
const workerPatience = 2;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: ClientError) => void;
}

export interface SharedWireOptions {
  readonly key: string;
  readonly locks: LocksLike;
  /** Starts the worker that shall hold the connection. Absent: the tabs elect one of themselves. */
  readonly startWorker: ((name: string) => unknown) | undefined;
}

/** A tab's half of a shared connection. */
export class SharedWire implements Wire {
  readonly #name: string;
  readonly #locks: LocksLike;
  readonly #options: ConnectionOptions;
  readonly #environment: Environment;
  readonly #events: WireEvents;
  readonly #tab: string = crypto.randomUUID();
  readonly #channels = new Map<string, FollowedChannel>();
  readonly #serverChannels = new Map<string, FollowedChannel>();
  readonly #pending = new Map<number, Pending>();
  readonly #patience: number;
  readonly #stopSignals: () => void;
  /** Kept, since a worker ends when nothing refers to it any more. */
  readonly #worker: unknown;
  #bus: Bus<Envelope> | undefined;
  #leader: Leader | undefined;
  #lastTerm = 0;
  #state: ConnectionState;
  #wantsConnection = false;
  #token: string | undefined;
  /** No leader has said that it has the token which was set here last. */
  #isTokenUnheard = false;
  /** Whose connection it was when it was last open. Undefined until it was. */
  #user: string | undefined;
  #nextId = 1;
  #silentLooks = 0;
  #isLeading = false;
  /** Since when this page was found hidden at every look. */
  #hiddenSince: number | undefined;
  #leaveElection: (() => void) | undefined;
  #releaseLife: () => void = () => undefined;
  #cancelWatch: () => void = () => undefined;

  constructor(
    { key, locks, startWorker }: SharedWireOptions,
    options: ConnectionOptions,
    events: WireEvents,
  ) {
    this.#name = sharedName(key);
    this.#locks = locks;
    this.#options = options;
    this.#token = options.token;
    this.#events = events;
    this.#environment = options.environment ?? createEnvironment();
    this.#state = idleState(this.#environment.now());
    this.#patience = patience + Math.floor(this.#environment.random() * 3);
    this.#worker = startWorker?.(this.#name);
    this.#stopSignals = this.#environment.onSignal((signal) => {
      if (signal === 'suspend') this.#leave();
      else if (signal === 'resume') this.#join();
      else if (signal === 'wake') this.#post({ kind: 'wake' });
    });
    this.#join();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  connect(): void {
    this.#wantsConnection = true;
    if (this.#leader === undefined) this.#show({ status: 'connecting' });
    this.#post({ kind: 'want', connection: true });
  }

  /** Ends this tab's part. The connection itself ends when no tab wants it any more. */
  disconnect(): void {
    this.#wantsConnection = false;
    this.#post({ kind: 'want', connection: false });
  }

  setToken(token: string): void {
    this.#token = token;
    this.#isTokenUnheard = true;
    this.#post({ kind: 'token', token });
  }

  attach(channel: string, { getState, ...options }: ChannelOptions, since?: Position): void {
    const own = { environment: this.#environment, backoff: this.#options.backoff };
    const wanted = { channel, kind: 'stream', options, ...(since && { since }) } as const;
    const links = this.#links((event) => this.#events.channel(channel, event as ChannelEvent));
    this.#open(
      getState === undefined
        ? new FollowedChannel(wanted, links)
        : new StatefulChannel(wanted, links, { getState, ...own }),
    );
  }

  detach(channel: string): void {
    this.#channels.get(channel)?.close();
    this.#channels.delete(channel);
    this.#post({ kind: 'detach', channel });
  }

  attachKeyed(request: KeyedRequest, report: (event: KeyedEvent) => void): KeyedHandle {
    const { channel, kind } = request;
    const options = Object.fromEntries(
      Object.entries(request.options).filter(([, value]) => typeof value !== 'function'),
    );
    const links = this.#links((event) => report(event as KeyedEvent));
    const sign = kind === 'poll' ? { sign: request.options.getSignature } : {};
    const followed = new FollowedChannel({ channel, kind, options }, { ...links, ...sign });
    this.#open(followed);
    return {
      track: (keys) => {
        followed.track(keys);
        this.#post({ kind: 'track', channel, keys });
      },
      untrack: (keys) => {
        followed.untrack(keys);
        this.#post({ kind: 'untrack', channel, keys });
      },
      detach: () => {
        if (this.#channels.get(channel) === followed) this.detach(channel);
      },
    };
  }

  async call(call: Call): Promise<unknown> {
    return this.#ask((id) => ({ kind: 'call', id, call }));
  }

  async measureRoundTrip(): Promise<number | undefined> {
    try {
      return (await this.#ask((id) => ({ kind: 'measure', id }))) as number | undefined;
    } catch {
      return undefined;
    }
  }

  close(): void {
    this.#stopSignals();
    this.#leave();
  }

  #join(): void {
    this.#releaseLife();
    // Only a tab that holds this lock introduces itself: the leader takes its being free for death.
    this.#releaseLife = holdLock(this.#locks, tabLockName(this.#name, this.#tab), {
      onHeld: () => {
        this.#bus = openBus<Envelope>(this.#name, (envelope) => this.#receive(envelope));
        if (this.#worker === undefined) this.#standForElection(false);
        this.#bus.post({ from: 'asker' });
        this.#watch();
        return () => undefined;
      },
    });
  }

  /** The page goes away, for good or into the cache: it must hold nothing that others wait for. */
  #leave(): void {
    this.#post({ kind: 'bye' });
    this.#cancelWatch();
    this.#leaveElection?.();
    this.#leaveElection = undefined;
    this.#bus?.close();
    this.#bus = undefined;
    this.#forgetLeader();
    this.#releaseLife();
  }

  #standForElection(steal: boolean): void {
    this.#leaveElection?.();
    this.#leaveElection = holdLock(this.#locks, this.#name, {
      steal,
      onHeld: () => {
        this.#isLeading = true;
        const switchboard = new Switchboard({
          name: this.#name,
          locks: this.#locks,
          lastTerm: this.#lastTerm,
          isHidden: () => this.#isHiddenTooLong(),
        });
        return () => {
          this.#isLeading = false;
          switchboard.close();
        };
      },
      onLost: () => this.#standForElection(false),
    });
  }

  #isHiddenTooLong(): boolean {
    if (!this.#environment.isHidden()) this.#hiddenSince = undefined;
    else this.#hiddenSince ??= this.#environment.now();
    const since = this.#hiddenSince;
    return since !== undefined && this.#environment.now() - since >= hiddenTooLongMs;
  }

  /** A leader that is frozen keeps its lock and says nothing: only the silence tells. */
  #watch(): void {
    this.#cancelWatch = this.#environment.after(watchMs, () => {
      this.#silentLooks += 1;
      if (this.#silentLooks > this.#patience) {
        this.#silentLooks = 0;
        this.#standForElection(true);
      } else if (this.#silentLooks >= workerPatience && this.#leaveElection === undefined) {
        this.#standForElection(false);
      }
      const { nextRetryAt } = this.#state;
      // The timers of a hidden leader run once a minute; those of a visible tab do not.
      if (nextRetryAt !== undefined && this.#environment.now() > nextRetryAt + watchMs) {
        this.#post({ kind: 'wake' });
      }
      this.#bus?.post(
        this.#leader === undefined ? { from: 'asker' } : { from: 'asker', tab: this.#tab },
      );
      this.#watch();
    });
  }

  #receive(envelope: Envelope): void {
    if (envelope.from !== 'leader') return;
    const { leader, to, body } = envelope;
    const isNewer = this.#leader === undefined || leader.term > this.#leader.term;
    if (leader.id !== this.#leader?.id && !isNewer) return;
    this.#silentLooks = 0;
    const isMeant = to === undefined || to.includes(this.#tab);
    const isNew = leader.id !== this.#leader?.id;
    if (isNew || (body.kind === 'leader' && to !== undefined && isMeant)) this.#follow(leader);
    if (!isNew && isMeant) this.#handle(body);
  }

  #follow(leader: Leader): void {
    this.#forgetLeader();
    this.#leader = leader;
    this.#lastTerm = leader.term;
    // A worker has begun to lead: from now on its end is heard at once.
    if (this.#leaveElection === undefined) this.#standForElection(false);
    const { endpoints, emulationEndpoint, name, backoff, connectTimeoutMs } = this.#options;
    const { maxPingDelayMs, data, headers, getToken, getChannelToken } = this.#options;
    this.#post({
      kind: 'hello',
      wantsConnection: this.#wantsConnection,
      channels: [...this.#channels.values()].flatMap(({ wanted }) => wanted ?? []),
      server: {
        user: this.#user ?? '',
        channels: [...this.#serverChannels.values()].flatMap(({ wanted }) => wanted ?? []),
      },
      options: {
        endpoints,
        emulationEndpoint,
        name,
        backoff,
        connectTimeoutMs,
        maxPingDelayMs,
        hasGetToken: getToken !== undefined,
        hasGetChannelToken: getChannelToken !== undefined,
        ...(data === undefined ? {} : { data }),
        ...(headers === undefined ? {} : { headers }),
        ...(this.#token === undefined ? {} : { token: this.#token }),
      },
    });
    // Its connection was made with the token of the first tab that introduced itself.
    if (this.#isTokenUnheard) this.#post({ kind: 'token', token: this.#token ?? '' });
  }

  #forgetLeader(): void {
    if (this.#leader === undefined) return;
    this.#leader = undefined;
    for (const { reject } of this.#pending.values()) {
      reject(
        new ClientError(
          'outcome_unknown',
          'the tab that held the connection went away before the answer came',
        ),
      );
    }
    this.#pending.clear();
    if (this.#wantsConnection) this.#show({ status: 'connecting', nextRetryAt: undefined });
    for (const followed of [...this.#channels.values(), ...this.#serverChannels.values()]) {
      followed.lose();
    }
  }

  #handle(body: LeaderMessage): void {
    switch (body.kind) {
      case 'leader':
        // Its timers run once a minute from now on, and browsers freeze what is hidden.
        if (body.isHidden && !this.#isLeading && !this.#environment.isHidden()) {
          this.#standForElection(true);
        }
        break;
      case 'state':
        this.#noticeUser(body);
        this.#show({ ...body.state, heldBy: this.#isLeading ? 'this_page' : 'elsewhere' });
        break;
      case 'events':
        for (const event of body.events) this.#channels.get(body.channel)?.hear(event);
        break;
      case 'server_events':
        for (const event of body.events) this.#serverEvent(body.channel, event as ChannelEvent);
        break;
      case 'token':
        this.#token = body.token;
        this.#isTokenUnheard = false;
        break;
      case 'message':
        this.#events.message(body.data);
        break;
      case 'answer':
        this.#pending.get(body.id)?.resolve(body.value);
        this.#pending.delete(body.id);
        break;
      case 'failure':
        this.#pending.get(body.id)?.reject(new ClientError(body.code, body.message, body.details));
        this.#pending.delete(body.id);
        break;
      case 'wanted':
        void this.#give(body.id, body);
        break;
    }
  }

  /** What a shared poll brought was for one user alone, told by the application's signature. */
  #noticeUser({ state, user }: LeaderMessage & { readonly kind: 'state' }): void {
    if (state.status !== 'connected' || user === undefined) return;
    const isAnother = this.#user !== undefined && this.#user !== user;
    this.#user = user;
    if (!isAnother) return;
    for (const followed of this.#channels.values()) {
      if (followed.kind === 'poll') followed.hear({ type: 'reset' });
    }
  }

  #serverEvent(channel: string, event: ChannelEvent): void {
    const links = this.#links((told) => this.#events.serverChannel(channel, told as ChannelEvent));
    const followed =
      this.#serverChannels.get(channel) ??
      new FollowedChannel({ channel, kind: 'stream', options: {} }, links);
    if (event.type === 'unsubscribed') this.#serverChannels.delete(channel);
    else if (event.type === 'subscribed') this.#serverChannels.set(channel, followed);
    followed.hear(event);
  }

  /** What a tab's end of a channel needs of the rest. */
  #links(report: (event: FollowedEvent) => void): FollowedChannelLinks {
    return { report, attach: (wanted) => this.#post({ kind: 'attach', wanted }) };
  }

  #open(followed: FollowedChannel): void {
    const { channel } = followed;
    if (this.#channels.has(channel)) {
      throw new ClientError('misused', 'the channel is in use: close its subscription first');
    }
    this.#channels.set(channel, followed);
    followed.open();
  }

  async #give(id: number, question: Question): Promise<void> {
    try {
      const value = await this.#answer(question);
      this.#post({ kind: 'given', id, ...(value === undefined ? {} : { value }) });
    } catch {
      // The leader asks the next tab, and in the end reports that none could give it.
      this.#post({ kind: 'given', id });
    }
  }

  async #answer({ channel, keys }: Question): Promise<unknown> {
    const { getToken, getChannelToken } = this.#options;
    if (channel === undefined) return getToken?.();
    if (keys === undefined) return getChannelToken?.(channel);
    return this.#channels.get(channel)?.sign(keys);
  }

  #show(change: Partial<ConnectionState>): void {
    const since = change.status === this.#state.status ? {} : { since: this.#environment.now() };
    this.#state = { ...this.#state, ...since, ...change };
    this.#events.state(this.#state);
  }

  async #ask(question: (id: number) => TabMessage): Promise<unknown> {
    if (this.#leader === undefined) {
      throw new ClientError('not_connected', 'no tab of this browser holds the connection yet');
    }
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject });
    this.#post(question(id));
    return promise;
  }

  #post(body: TabMessage): void {
    if (this.#leader === undefined) return;
    this.#bus?.post({ from: 'tab', tab: this.#tab, leader: this.#leader.id, body });
  }
}
