import type { Subscription, TransportEndpoint } from 'centrifuge';
import { ClientError } from './client-error.ts';
import {
  type Effects,
  initialMachineState,
  type MachineEvent,
  type MachineState,
  transition,
} from './connection-machine.ts';
import { type Close, closeInWords, type ConnectionState, idleState } from './connection-state.ts';
import type { SocketClose, WebSocketConstructor } from './deferred-close-socket.ts';
import { Engine, forgetToken } from './engine.ts';
import { engineSockets } from './engine-sockets.ts';
import { AttachedKeys } from './attached-keys.ts';
import { bindSubscription } from './bind-subscription.ts';
import { createEnvironment, type Environment } from './environment.ts';
import type { ConnectionOptions, Endpoint } from './options.ts';
import type {
  Call,
  ChannelOptions,
  KeyedEvent,
  KeyedHandle,
  KeyedRequest,
  Position,
  Wire,
  WireEvents,
} from './wire.ts';
import { saidRetryAfterMs, watchRetryAfter } from './retry-after.ts';
import { ServerChannels } from './server-channels.ts';
import { isAlive } from './sign-of-life.ts';
import { WebSocketProbe } from './websocket-probe.ts';

/** Codes of the engine for calls that were sent and got no answer: timeout, closed, ended. */
const unansweredCodes: ReadonlySet<number> = new Set([1, 2, 3, 11]);
/** The engine's code for a call that could not be written. */
const writeErrorCode = 10;
const roundTripTimeoutMs = 3_000;
/** The engine's code for a connection whose pings stopped. */
const noPingCode = 2;
/** The engine's errors for an answer that did not come, and for a transport that did not open or ended. */
const timeoutError = 1;
const transportClosedError = 2;
/** Our own, beside the engine's. */
const stalledCode = 20;
/** WebSocket's code for a connection that ended without a word. */
const lostCode = 1006;

/**
 * A connection of its own. The protocol is npm `centrifuge`'s; when to connect, over what, and how
 * long to wait is decided by the connection machine, since the stock client stays on a fallback for
 * good and tells nobody when it will try again.
 */
export class DirectWire implements Wire {
  readonly #options: ConnectionOptions;
  readonly #environment: Environment;
  readonly #events: WireEvents;
  readonly #centrifuge: Engine;
  readonly #serverChannels: ServerChannels;
  /** The engine reads this list at each attempt: the machine chooses by replacing its one element. */
  readonly #endpoint: [TransportEndpoint];
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #keyed = new Map<string, AttachedKeys>();
  readonly #probe: WebSocketProbe;
  readonly #stopSignals: () => void;
  #machine: MachineState = initialMachineState;
  #state: ConnectionState;
  #cancelTimer: () => void = () => undefined;
  #connectedAt = 0;
  #socketClose: SocketClose | undefined;
  /** What the server asked for in an answer to the attempt under way. */
  #retryAfterMs: number | undefined;
  /** Set while we end the connection ourselves, so that its end is no news. */
  #isClosing = false;
  #roundTrip: Promise<number | undefined> | undefined;
  #isBeginningAnew = false;

  constructor(options: ConnectionOptions, events: WireEvents) {
    this.#options = options;
    this.#events = events;
    this.#environment = options.environment ?? createEnvironment();
    this.#state = idleState(this.#environment.now());
    const [first] = options.endpoints;
    if (first === undefined) {
      throw new ClientError('misused', 'there is no endpoint to connect to: give at least one');
    }
    this.#endpoint = [engineEndpoint(first)];
    const base = (options.webSocket ?? globalThis.WebSocket) as WebSocketConstructor | undefined;
    this.#probe = new WebSocketProbe(base, this.#environment);
    this.#serverChannels = new ServerChannels({
      report: (channel, event) => events.serverChannel(channel, event),
      userChanged: () => {
        for (const keys of this.#keyed.values()) keys.changeUser();
      },
    });
    this.#centrifuge = this.#createEngine(base);
    this.#stopSignals = this.#environment.onSignal((signal) => {
      if (signal !== 'offline' && signal !== 'suspend') this.#probe.renew();
      this.#dispatch({ type: signal });
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  connect(): void {
    if (this.#machine.status === 'refused' && this.#options.getToken !== undefined) {
      this.#centrifuge.setToken('');
    }
    this.#dispatch({ type: 'connect' });
  }

  disconnect(): void {
    this.#dispatch({ type: 'disconnect' });
  }

  setToken(token: string): void {
    this.#centrifuge.setToken(token);
    // It may be another user's.
    for (const subscription of this.#subscriptions.values()) forgetToken(subscription);
    for (const keys of this.#keyed.values()) keys.forgetToken();
    this.#dispatch({ type: 'restart', upgrade: false });
  }

  attach(channel: string, options: ChannelOptions, since?: Position): void {
    const subscription = this.#centrifuge.newSubscription(channel, {
      ...options,
      ...(since === undefined ? {} : { since }),
      ...this.#subscriptionToken(),
      minResubscribeDelay: this.#options.backoff.minDelayMs,
      maxResubscribeDelay: this.#options.backoff.maxDelayMs,
    });
    this.#subscriptions.set(channel, subscription);
    bindSubscription(subscription, (event) => {
      if (this.#subscriptions.get(channel) === subscription) this.#events.channel(channel, event);
    });
    subscription.subscribe();
  }

  detach(channel: string): void {
    const subscription = this.#subscriptions.get(channel);
    if (subscription === undefined) return;
    this.#subscriptions.delete(channel);
    subscription.unsubscribe();
    this.#centrifuge.removeSubscription(subscription);
  }

  attachKeyed(request: KeyedRequest, report: (event: KeyedEvent) => void): KeyedHandle {
    const { channel } = request;
    if (this.#subscriptions.has(channel) || this.#keyed.has(channel)) {
      throw new ClientError('misused', 'the channel is in use: close its subscription first');
    }
    const options = { ...request.options, ...this.#subscriptionToken() };
    const keys = new AttachedKeys(this.#centrifuge, { ...request, options } as KeyedRequest, {
      report,
      backoff: this.#options.backoff,
    });
    this.#keyed.set(channel, keys);
    return {
      track: (wanted) => keys.track(wanted),
      untrack: (unwanted) => keys.untrack(unwanted),
      detach: () => {
        keys.detach();
        if (this.#keyed.get(channel) === keys) this.#keyed.delete(channel);
      },
    };
  }

  /** Whose the channels are that the server subscribes to. */
  get serverUser(): string | undefined {
    return this.#serverChannels.user;
  }

  /** Whether places of this user may be continued: not once the connection is another's. */
  acceptsPlacesOf(user: string): boolean {
    return this.#serverChannels.accepts(user);
  }

  /**
   * Continues a channel of the server's from a place that this connection does not know or has passed,
   * for which a connection that is open begins anew.
   */
  continueServerChannel(channel: string, since: Position | undefined): void {
    this.#serverChannels.want(channel, since);
    if (since === undefined || this.#isBeginningAnew) return;
    this.#isBeginningAnew = true;
    // Once for all that is wanted in this turn.
    queueMicrotask(() => {
      this.#isBeginningAnew = false;
      const { status } = this.#machine;
      const isOpen = status === 'connecting' || status === 'connected';
      if (isOpen && this.#serverChannels.isWritten) {
        this.#dispatch({ type: 'restart', upgrade: false });
      }
    });
  }

  async call(call: Call): Promise<unknown> {
    if (this.#machine.status !== 'connected') throw notConnected();
    try {
      return await this.#send(call);
    } catch (error) {
      if (error instanceof ClientError) throw error;
      throw callError(error as { readonly code: number } & Error);
    }
  }

  /** Asked by several at once, one question is sent. */
  async measureRoundTrip(): Promise<number | undefined> {
    return this.#measure(roundTripTimeoutMs);
  }

  async #measure(timeoutMs: number): Promise<number | undefined> {
    this.#roundTrip ??= this.#askForLife(timeoutMs).finally(() => {
      this.#roundTrip = undefined;
    });
    return this.#roundTrip;
  }

  close(): void {
    this.#dispatch({ type: 'disconnect' });
    this.#stopSignals();
    this.#probe.stop();
    for (const channel of this.#subscriptions.keys()) this.detach(channel);
    for (const keys of this.#keyed.values()) keys.detach();
    this.#keyed.clear();
  }

  #createEngine(base: WebSocketConstructor | undefined): Engine {
    const options = this.#options;
    const { getToken } = options;
    const silent = new EventTarget();
    const fetch = watchRetryAfter(options.fetch, (ms) => (this.#retryAfterMs = ms));
    const centrifuge = new Engine(
      this.#endpoint,
      {
        websocket: engineSockets({
          webSocket: base,
          fetch,
          environment: this.#environment,
          connectTimeoutMs: options.connectTimeoutMs,
          onClosed: (close) => (this.#socketClose = close),
        }),
        ...(options.eventSource === undefined ? {} : { eventsource: options.eventSource }),
        fetch,
        emulationEndpoint: options.emulationEndpoint,
        timeout: options.connectTimeoutMs,
        maxServerPingDelay: options.maxPingDelayMs,
        name: options.name,
        token: options.token ?? '',
        data: options.data ?? null,
        ...(options.headers === undefined ? {} : { headers: { ...options.headers } }),
        getToken: getToken === undefined ? null : async () => getToken(),
        // The machine hears the page's events; the engine would only act on them a second time.
        networkEventTarget: silent,
        pageEventTarget: silent,
      },
      (connect) => this.#serverChannels.rewrite(connect),
    );
    this.#serverChannels.bind(centrifuge);
    centrifuge.on('connected', () => this.#opened());
    centrifuge.on('connecting', ({ code, reason }) => {
      if (code === 0 || this.#isClosing) return;
      if (code === noPingCode) {
        this.#remember(code, reason);
        this.#patch({ missedPings: this.#state.missedPings + 1 });
      } else {
        this.#rememberTransport(code, reason);
      }
      const lastedMs = this.#environment.now() - this.#connectedAt;
      this.#dispatch({ type: 'lost', lastedMs });
    });
    centrifuge.on('disconnected', ({ code, reason }) => {
      if (this.#isClosing) return;
      this.#remember(code, reason);
      this.#dispatch({ type: 'refused' });
    });
    centrifuge.on('error', ({ type, error }) => {
      if (this.#machine.status !== 'connecting' || this.#isClosing) return;
      // A refusal of the token function says nothing about the transport.
      const reached = error.code >= 100 || type === 'connectToken' || type === 'connectData';
      const isTransport = error.code === transportClosedError || this.#socketClose !== undefined;
      const isStalled = type === 'connect' && error.code === timeoutError && this.#isOverStream;
      if (isStalled) this.#remember(stalledCode, '');
      else if (isTransport) this.#rememberTransport(error.code, error.message);
      else this.#remember(error.code, error.message);
      const hint = this.#retryAfterMs ?? saidRetryAfterMs(error.message);
      const retryAfter = hint === undefined ? {} : { retryAfterMs: hint };
      this.#dispatch({ type: 'failed', reached, ...retryAfter });
    });
    centrifuge.on('message', ({ data }) => this.#events.message(data));
    return centrifuge;
  }

  #opened(): void {
    this.#connectedAt = this.#environment.now();
    this.#dispatch({ type: 'opened' });
    void this.#tryOut();
    const best = this.#options.endpoints[0];
    if (this.#machine.transport === 0) this.#probe.stop();
    else if (best?.transport === 'websocket') {
      this.#probe.start(best.endpoint, () => this.#dispatch({ type: 'restart', upgrade: true }));
    }
  }

  #dispatch(event: MachineEvent): void {
    const { state, ...effects } = transition(this.#machine, event, {
      transports: this.#options.endpoints.length,
      backoff: this.#options.backoff,
      random: () => this.#environment.random(),
    });
    const hasMoved = state !== this.#machine;
    this.#machine = state;
    this.#perform(effects, hasMoved);
  }

  #perform(effects: Effects, hasMoved: boolean): void {
    const { close, open, retryInMs, check } = effects;
    if (hasMoved) this.#cancelTimer();
    if (close === true) this.#closeEngine();
    if (hasMoved) this.#publish(retryInMs);
    if (retryInMs !== undefined) {
      this.#cancelTimer = this.#environment.after(retryInMs, () =>
        this.#dispatch({ type: 'retry' }),
      );
    }
    if (open === true) this.#openEngine();
    if (check === true) void this.#check();
  }

  #publish(retryInMs: number | undefined): void {
    const now = this.#environment.now();
    const { status, transport, attempts } = this.#machine;
    const isUsed = status === 'connecting' || status === 'connected';
    this.#patch({
      status,
      transport: isUsed ? this.#options.endpoints[transport]?.transport : undefined,
      since: status === this.#state.status ? this.#state.since : now,
      attempts,
      nextRetryAt: retryInMs === undefined ? undefined : Math.ceil(now + retryInMs),
    });
  }

  #patch(change: Partial<ConnectionState>): void {
    this.#state = { ...this.#state, ...change };
    this.#events.state(this.#state);
  }

  #openEngine(): void {
    const endpoint = this.#options.endpoints[this.#machine.transport];
    if (endpoint === undefined) return;
    this.#endpoint[0] = engineEndpoint(endpoint);
    this.#serverChannels.open();
    this.#socketClose = undefined;
    this.#retryAfterMs = undefined;
    try {
      this.#centrifuge.connect();
    } catch (error) {
      // The engine finds no way to use this transport here, as `EventSource` in Node.
      this.#remember(0, (error as Error).message);
      this.#dispatch({ type: 'failed', reached: false });
    }
  }

  #closeEngine(): void {
    this.#isClosing = true;
    try {
      this.#centrifuge.disconnect();
    } finally {
      this.#isClosing = false;
    }
  }

  #remember(code: number, reason: string): void {
    const lastClose: Close = {
      code,
      reason: closeInWords(code, reason),
      at: this.#environment.now(),
    };
    this.#state = { ...this.#state, lastClose };
  }

  /** What the browser saw of its socket says more than the engine's "transport closed". */
  #rememberTransport(code: number, reason: string): void {
    const seen = code < 100 ? (this.#socketClose ?? { code: lostCode, reason: '' }) : undefined;
    this.#remember(seen?.code ?? code, seen?.reason ?? reason);
  }

  get #isOverStream(): boolean {
    const { transport } = this.#state;
    return transport === 'http_stream' || transport === 'sse';
  }

  /** The first question over a new connection. A stream that carries no answer is one that is collected. */
  async #tryOut(): Promise<void> {
    const connectedAt = this.#connectedAt;
    const isStream = this.#isOverStream;
    const timeoutMs = isStream ? 2 * this.#options.connectTimeoutMs : roundTripTimeoutMs;
    const roundTripMs = await this.#measure(timeoutMs);
    const isCurrent = this.#machine.status === 'connected' && connectedAt === this.#connectedAt;
    if (roundTripMs !== undefined || !isStream || !isCurrent) return;
    this.#remember(stalledCode, '');
    this.#dispatch({ type: 'stalled' });
  }

  async #check(): Promise<void> {
    const connectedAt = this.#connectedAt;
    const roundTripMs = await this.measureRoundTrip();
    if (roundTripMs !== undefined || connectedAt !== this.#connectedAt) return;
    this.#remember(noPingCode, '');
    this.#dispatch({ type: 'lost', lastedMs: this.#environment.now() - connectedAt });
  }

  async #askForLife(timeoutMs: number): Promise<number | undefined> {
    if (this.#machine.status !== 'connected') return undefined;
    const askedAt = this.#environment.now();
    if (!(await isAlive(this.#centrifuge, this.#environment, timeoutMs))) {
      if (this.#machine.status === 'connected') {
        this.#patch({ missedPings: this.#state.missedPings + 1 });
      }
      return undefined;
    }
    const roundTripMs = this.#environment.now() - askedAt;
    this.#patch({ roundTripMs, missedPings: 0 });
    return roundTripMs;
  }

  async #send(call: Call): Promise<unknown> {
    switch (call.type) {
      case 'publish':
        return this.#centrifuge.publish(call.channel, call.data);
      case 'map_set':
      case 'map_remove': {
        const map = this.#keyed.get(call.channel)?.map;
        if (map === undefined) throw notSubscribed();
        return call.type === 'map_set' ? map.publish(call.key, call.data) : map.remove(call.key);
      }
      case 'rpc':
        return (await this.#centrifuge.rpc(call.method, call.data)).data as unknown;
      case 'history': {
        const { limit = 0, since, reverse = false } = call.options;
        const options = { limit, reverse, ...(since === undefined ? {} : { since }) };
        return this.#centrifuge.history(call.channel, options);
      }
      case 'presence':
        return this.#centrifuge.presence(call.channel);
      case 'presence_stats':
        return this.#centrifuge.presenceStats(call.channel);
    }
  }

  #subscriptionToken(): { getToken?: (context: { channel: string }) => Promise<string> } {
    const { getChannelToken } = this.#options;
    if (getChannelToken === undefined) return {};
    return { getToken: ({ channel }) => getChannelToken(channel) };
  }
}

/** To the engine, polling is a WebSocket with an address of its own kind: see `engineSockets`. */
function engineEndpoint({ transport, endpoint }: Endpoint): TransportEndpoint {
  return { transport: transport === 'polling' ? 'websocket' : transport, endpoint };
}

function notSubscribed(): ClientError {
  return new ClientError('misused', 'the subscription to this map was closed');
}

function notConnected(): ClientError {
  return new ClientError('not_connected', 'there is no connection to the server at the moment');
}

function callError(
  error: { readonly code: number; readonly temporary?: boolean } & Error,
): ClientError {
  const { code, message } = error;
  if (unansweredCodes.has(code)) {
    return new ClientError(
      'outcome_unknown',
      'the connection ended before the server answered: it may have happened or not',
      { code },
    );
  }
  if (code === writeErrorCode) return notConnected();
  return new ClientError('refused', `the server refused: ${message} (${code})`, {
    code,
    temporary: error.temporary ?? false,
  });
}
