import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import {
  type ClientInfo,
  Disconnect,
  disconnects,
  protobufCodec,
  ReplyError,
  replyErrors,
  unsubscribeCodes,
} from '@holdfast/protocol';
import type { TokenVerifier } from './auth/token-verifier.ts';
import { compileChannelPattern } from './channel-pattern.ts';
import { publishToChannel } from './channel-publisher.ts';
import { type ChannelSource, ChannelTable } from './channel-table.ts';
import { type Clock, systemClock } from './clock.ts';
import { CommandLimits } from './command-limits.ts';
import { Cluster } from './cluster.ts';
import {
  ConnectionDirectory,
  type ConnectionsPage,
  type ConnectionsQuery,
  type OnlineStatus,
} from './connection-directory.ts';
import { ConnectionGate } from './connection-gate.ts';
import type { Answer, HubHandlers, HubNotices, HubQuestions } from './events.ts';
import type {
  HistoryOptions,
  Hub,
  HubOptions,
  InvalidateTokensOptions,
  Logger,
  MapPublishInput,
  MapStateOptions,
  PublishOptions,
  RefreshOptions,
  SharedPollPublication,
  SubscribeOptions,
} from './hub.ts';
import type { HubContext } from './hub-context.ts';
import { LastSeen } from './last-seen.ts';
import { MapOperations } from './map/map-operations.ts';
import { MemoryBroker } from './memory/memory-broker.ts';
import { MemoryBus } from './memory/memory-bus.ts';
import { MemoryMapBroker } from './memory/memory-map-broker.ts';
import { MemoryPresenceStore } from './memory/memory-presence-store.ts';
import { MemoryRevocationStore } from './memory/memory-revocation-store.ts';
import { HubMetrics } from './metrics.ts';
import { type ChannelRules, Namespaces } from './namespaces.ts';
import {
  type ClientOptions,
  defaultChannelsOptions,
  defaultClientOptions,
  defaultWebSocketOptions,
  type HttpTransportsOptions,
  resolveHttpTransportsOptions,
} from './options.ts';
import type { Broker, BrokerPublishResult, HistoryPage, Position } from './ports/broker.ts';
import type {
  MapBroker,
  MapChangeResult,
  MapStatePage,
  MapStats,
  MapStreamPage,
} from './ports/map-broker.ts';
import type { ClientSelector, NodeInfo } from './ports/node-bus.ts';
import type { PresenceStats, PresenceStore } from './ports/presence-store.ts';
import type { RevocationStore } from './ports/revocation-store.ts';
import { readHistory } from './read-history.ts';
import { SingleFlight } from './single-flight.ts';
import { isRefusal, type Refusal } from './refusal.ts';
import { carryOut } from './session-control.ts';
import { Revocations } from './revocation/revocations.ts';
import { SessionRegistry } from './session-registry.ts';
import { PollTable } from './shared-poll/poll-table.ts';
import type { SharedPollSecrets } from './shared-poll/track-signature.ts';
import { toBytes } from './payload.ts';
import { TimerWheel } from './timer-wheel.ts';
import { HttpListener } from './transports/http-listener.ts';
import { requestTarget } from './transports/request-target.ts';
import { WebSocketListener } from './transports/websocket-listener.ts';
import { WidePublisher } from './wide-publisher.ts';
import { WriteScheduler } from './write-scheduler.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const text = { encoder: new TextEncoder(), decoder: new TextDecoder() };

/** Makes a hub. It serves as soon as {@link Hub.start} or {@link Hub.attach} is called. */
export function createHub(options: HubOptions = {}): Hub {
  return new HubNode(options);
}

class HubNode implements Hub, HubContext {
  readonly nodeId: string;
  readonly version: string;
  readonly options: ClientOptions;
  readonly namespaces: Namespaces;
  readonly mapBroker: MapBroker;
  readonly #mapOperations: MapOperations;
  readonly #streams: ChannelTable;
  readonly #maps: ChannelTable;
  readonly polls: PollTable = new PollTable(this);
  readonly sharedPollSecrets: SharedPollSecrets | undefined;
  readonly sessions: SessionRegistry;
  readonly revocations: Revocations;
  readonly #revocationStore: RevocationStore;
  readonly broker: Broker;
  readonly presenceStore: PresenceStore;
  readonly tokens: TokenVerifier | undefined;
  readonly subscriptionTokens: TokenVerifier | undefined;
  readonly metrics: HubMetrics = new HubMetrics();
  readonly commandLimits: CommandLimits;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly writes: WriteScheduler = new WriteScheduler();
  readonly random: () => number;
  readonly randomId: () => string;
  readonly #name: string;
  readonly #cluster: Cluster;
  readonly #directory: ConnectionDirectory;
  readonly #widePublisher: WidePublisher;
  readonly #gate: ConnectionGate;
  readonly #webSockets: WebSocketListener;
  readonly #http: HttpListener;
  readonly #httpOptions: HttpTransportsOptions;
  readonly #webSocketPaths = new Set<string>();
  readonly #handlers = new Map<string, ((event: never) => unknown)[]>();
  readonly #tops = new SingleFlight<Position>();
  readonly #startedAt: number;
  #started: Promise<void> | undefined;
  #shutdown: Promise<void> | undefined;

  constructor(options: HubOptions) {
    this.#name = options.name ?? hostname();
    this.version = options.version ?? '';
    this.options = { ...defaultClientOptions, ...options.client };
    this.logger = options.logger ?? silent;
    this.clock = options.clock ?? systemClock;
    this.commandLimits = new CommandLimits(this);
    this.random = options.random ?? Math.random;
    this.randomId = options.randomId ?? (() => crypto.randomUUID());
    this.nodeId = this.randomId();
    this.tokens = options.tokens;
    this.subscriptionTokens = options.subscriptionTokens;
    this.sharedPollSecrets = options.sharedPoll;
    this.namespaces = new Namespaces({ ...defaultChannelsOptions, ...options.channel });
    this.broker = options.broker ?? new MemoryBroker({ clock: this.clock });
    this.presenceStore = options.presence ?? new MemoryPresenceStore({ clock: this.clock });
    this.timers = new TimerWheel(this.clock);
    const lastSeen = new LastSeen(this.options, this.clock);
    this.sessions = new SessionRegistry(this.metrics, lastSeen);
    this.#startedAt = this.clock.monotonic();
    this.mapBroker = options.mapBroker ?? new MemoryMapBroker({ clock: this.clock });
    this.#mapOperations = new MapOperations(this.mapBroker, this.namespaces);
    this.#streams = this.#createTable(this.broker);
    this.#maps = this.#createTable(this.mapBroker);
    this.#cluster = new Cluster({
      bus: options.bus ?? new MemoryBus(),
      nodeId: this.nodeId,
      clock: this.clock,
      logger: this.logger,
      randomId: this.randomId,
      describe: () => this.#describe(),
      met: (nodeId) => void this.revocations.learnFrom(nodeId),
      control: (message) => {
        if (message.type !== 'shared_poll_publish') carryOut(this, message);
        else this.polls.get(message.channel)?.publish(message.item);
      },
    });
    this.#cluster.handle('channels', (pattern) => this.#localChannels(pattern));
    this.#cluster.handle('emulation', (params) => this.#emulate(params));
    this.#revocationStore = options.revocations ?? new MemoryRevocationStore({ clock: this.clock });
    this.revocations = new Revocations(this, {
      cluster: this.#cluster,
      store: this.#revocationStore,
    });
    this.#widePublisher = new WidePublisher(this, this.#cluster);
    this.#directory = new ConnectionDirectory(this, { cluster: this.#cluster, lastSeen });
    const webSocketOptions = { ...defaultWebSocketOptions, ...options.websocket };
    this.#httpOptions = resolveHttpTransportsOptions(options.http);
    this.#gate = new ConnectionGate(this);
    this.#webSockets = new WebSocketListener({
      hub: this,
      gate: this.#gate,
      options: webSocketOptions,
    });
    this.#http = new HttpListener({
      hub: this,
      gate: this.#gate,
      options: this.#httpOptions,
      writeTimeoutMs: webSocketOptions.writeTimeoutMs,
      forward: async (nodeId, session, data) => {
        const params = protobufCodec.encodeEmulation({ node: nodeId, session, data });
        await this.#cluster.ask(nodeId, 'emulation', params);
      },
    });
  }

  #createTable(source: ChannelSource): ChannelTable {
    return new ChannelTable({
      source,
      metrics: this.metrics,
      onDetachFailed: (channel, error) => {
        this.logger.warn({ err: error, channel }, 'the broker could not end a subscription');
      },
    });
  }

  tableFor({ isMap }: ChannelRules): ChannelTable {
    return isMap ? this.#maps : this.#streams;
  }

  // ---- life ----

  get started(): Promise<void> {
    return this.start();
  }

  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    await this.revocations.start();
    await this.broker.start({
      publication: (event) => this.#streams.publication(event),
      join: (channel, info) => this.#streams.membership(channel, 'join', info),
      leave: (channel, info) => this.#streams.membership(channel, 'leave', info),
      interrupted: (channels) => this.#suspect(this.#streams, channels),
    });
    await this.mapBroker.start({
      publication: (event) => this.#maps.publication(event),
      cleared: (channel) => {
        for (const subscription of this.#maps.get(channel)?.subscriptions ?? []) {
          subscription.session.loseState(subscription);
        }
      },
      interrupted: (channels) => this.#suspect(this.#maps, channels),
    });
    await this.#cluster.start();
  }

  attach(server: HttpServer, { path = '/connection/websocket' } = {}): void {
    this.start().catch((error: unknown) => {
      this.logger.error({ err: error }, 'the hub could not start; clients are refused');
    });
    const { uniWebsocket } = this.#httpOptions;
    this.#webSocketPaths.add(path);
    if (uniWebsocket.enabled) this.#webSocketPaths.add(uniWebsocket.handlerPrefix);
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const target = requestTarget(request.url);
      if (target.path === path) {
        this.handleUpgrade(request, socket, head);
      } else if (uniWebsocket.enabled && target.path === uniWebsocket.handlerPrefix) {
        this.#webSockets.handleUpgrade(request, { socket, head, isUnidirectional: true });
      } else if (server.listenerCount('upgrade') === 1) {
        // The only listener must answer: node:http leaves upgraded sockets to us.
        this.#webSockets.refuseUnknownPath(socket);
      }
    });
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#webSockets.handleUpgrade(request, { socket, head });
  }

  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#http.handle(request, response)) return true;
    if (!this.#webSocketPaths.has(requestTarget(request.url).path)) return false;
    this.#webSockets.answerRequest(request, response);
    return true;
  }

  #emulate(params: Uint8Array): Uint8Array {
    const { session = '', data = new Uint8Array(0) } = protobufCodec.decodeEmulation(params);
    this.sessions.bySessionId(session)?.receive(data);
    return new Uint8Array(0);
  }

  shutdown({ timeoutMs = 30_000 } = {}): Promise<void> {
    this.#shutdown ??= this.#close(timeoutMs);
    return this.#shutdown;
  }

  async #close(timeoutMs: number): Promise<void> {
    await this.#gate.close(timeoutMs);
    this.#webSockets.close();
    this.timers.close();
    await this.#cluster.close();
    await this.#revocationStore.close();
    await this.presenceStore.close();
    await this.mapBroker.close();
    await this.broker.close();
  }

  problems(): readonly string[] {
    const problems = [
      this.broker.problem(),
      this.mapBroker.problem(),
      this.presenceStore.problem(),
      this.#revocationStore.problem(),
    ];
    if (this.#started === undefined) problems.push('the hub is not started');
    if (this.#shutdown !== undefined) problems.push('the node is shutting down');
    return problems.filter((problem) => problem !== undefined);
  }

  // ---- events ----

  on<Name extends keyof HubHandlers>(name: Name, handler: HubHandlers[Name]): () => void {
    const handlers = this.#handlers.get(name) ?? [];
    this.#handlers.set(name, [...handlers, handler]);
    return () => {
      const rest = (this.#handlers.get(name) ?? []).filter((other) => other !== handler);
      if (rest.length === 0) this.#handlers.delete(name);
      else this.#handlers.set(name, rest);
    };
  }

  isAsked(name: keyof HubQuestions): boolean {
    return this.#handlers.has(name);
  }

  async ask<Name extends keyof HubQuestions>(
    name: Name,
    event: Parameters<HubQuestions[Name]>[0],
  ): Promise<Answer<Name> | undefined> {
    for (const handler of this.#handlers.get(name) ?? []) {
      const answer = (await handler(event as never)) as Answer<Name> | undefined;
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  notify<Name extends keyof HubNotices>(name: Name, event: Parameters<HubNotices[Name]>[0]): void {
    for (const handler of this.#handlers.get(name) ?? []) {
      void this.#notifyOne(name, () => handler(event as never));
    }
  }

  async #notifyOne(name: string, call: () => unknown): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.logger.error({ err: error }, `a handler of '${name}' threw`);
    }
  }

  refusalOf(error: unknown, context: object): Refusal {
    if (error instanceof ReplyError || error instanceof Disconnect) return error;
    this.logger.error({ ...context, err: error }, 'a command failed unexpectedly');
    return replyErrors.internal;
  }

  // ---- the server's own operations ----

  async publish(
    channel: string,
    data: unknown,
    options: PublishOptions = {},
  ): Promise<BrokerPublishResult> {
    const result = await publishToChannel(this, {
      ...options,
      channel,
      rules: this.#rules(channel),
      data: toBytes(data),
    });
    if (isRefusal(result)) throw result;
    return result;
  }

  broadcast(
    channels: readonly string[],
    data: unknown,
    options: PublishOptions = {},
  ): Promise<readonly (BrokerPublishResult | ReplyError)[]> {
    const bytes = toBytes(data);
    return Promise.all(
      channels.map(async (channel) => {
        try {
          return await this.publish(channel, bytes, options);
        } catch (error) {
          if (error instanceof ReplyError) return error;
          this.logger.error({ err: error, channel }, 'one channel of a broadcast failed');
          return replyErrors.internal;
        }
      }),
    );
  }

  publishToPattern(
    pattern: string,
    data: unknown,
    options: PublishOptions = {},
  ): Promise<ReadonlyMap<string, BrokerPublishResult | ReplyError>> {
    return this.#widePublisher.publishToPattern(pattern, toBytes(data), options);
  }

  messageToAll(data: unknown): Promise<number> {
    return this.#widePublisher.messageToAll(toBytes(data));
  }

  async subscribe(
    selector: ClientSelector,
    channel: string,
    { recoverSince, ...grant }: SubscribeOptions = {},
  ): Promise<void> {
    this.#rules(channel);
    await this.#cluster.order({
      type: 'subscribe',
      selector,
      channel,
      grant,
      ...(recoverSince === undefined ? {} : { recoverSince }),
    });
  }

  async unsubscribe(
    selector: ClientSelector,
    channel: string,
    { code, reason }: { code: number; reason: string } = unsubscribeCodes.server,
  ): Promise<void> {
    if (channel !== '') this.#rules(channel);
    if (!isWithin(code, 2000, 2999)) throw replyErrors.badRequest;
    await this.#cluster.order({ type: 'unsubscribe', selector, channel, code, reason });
  }

  async disconnect(
    selector: ClientSelector,
    { code, reason }: { code: number; reason: string } = disconnects.forceNoReconnect,
  ): Promise<void> {
    // The range that RFC 6455 §7.4.2 leaves to frameworks and applications.
    if (!isWithin(code, 3000, 4999)) throw replyErrors.badRequest;
    await this.#cluster.order({ type: 'disconnect', selector, code, reason });
  }

  async refresh(selector: ClientSelector, options: RefreshOptions = {}): Promise<void> {
    await this.#cluster.order({ type: 'refresh', selector, ...options });
  }

  async blockUser(user: string, { expireAt = 0 }: { expireAt?: number } = {}): Promise<void> {
    await this.revocations.revoke({ kind: 'user', subject: user, expireAt });
  }

  async unblockUser(user: string): Promise<void> {
    await this.revocations.lift('user', user);
  }

  async revokeToken(tokenId: string, expireAt: number): Promise<void> {
    if (expireAt === 0) throw replyErrors.badRequest;
    await this.revocations.revoke({ kind: 'token', subject: tokenId, expireAt });
  }

  async invalidateUserTokens(
    user: string,
    { issuedBefore, expireAt }: InvalidateTokensOptions,
  ): Promise<void> {
    if (expireAt === 0) throw replyErrors.badRequest;
    const seconds = issuedBefore ?? Math.floor(this.clock.now() / 1000);
    await this.revocations.revoke({
      kind: 'tokens_of_user',
      subject: user,
      expireAt,
      issuedBefore: seconds,
    });
  }

  async publishSharedPoll(channel: string, item: SharedPollPublication): Promise<void> {
    const { subscriptionType, sharedPoll } = this.#rules(channel).options;
    if (subscriptionType !== 'shared_poll') throw replyErrors.badRequest;
    if (!sharedPoll.publishEnabled || sharedPoll.mode !== 'versioned') {
      throw replyErrors.notAvailable;
    }
    const { key, data, version } = item;
    if (key === '' || !(Number.isSafeInteger(version) && version > 0)) throw replyErrors.badRequest;
    await this.#cluster.order({
      type: 'shared_poll_publish',
      channel,
      item: { key, version, data: toBytes(data) },
    });
  }

  publishMap(channel: string, input: MapPublishInput): Promise<MapChangeResult> {
    return this.#mapOperations.publish(channel, input);
  }

  removeMapKey(
    channel: string,
    key: string,
    options: { readonly idempotencyKey?: string; readonly expectedPosition?: Position } = {},
  ): Promise<MapChangeResult> {
    return this.#mapOperations.remove(channel, key, options);
  }

  readMapState(channel: string, options: MapStateOptions = {}): Promise<MapStatePage> {
    return this.#mapOperations.readState(channel, options);
  }

  readMapStream(channel: string, options: HistoryOptions = {}): Promise<MapStreamPage> {
    return this.#mapOperations.readStream(channel, options);
  }

  async mapStats(channel: string): Promise<MapStats> {
    return this.#mapOperations.stats(channel);
  }

  clearMap(channel: string): Promise<void> {
    return this.#mapOperations.clear(channel);
  }

  async presence(channel: string): Promise<ReadonlyMap<string, ClientInfo>> {
    this.#requirePresence(channel);
    return this.presenceStore.get(channel);
  }

  async presenceStats(channel: string): Promise<PresenceStats> {
    this.#requirePresence(channel);
    return this.presenceStore.stats(channel);
  }

  async history(
    channel: string,
    { limit = 0, since, reverse = false }: HistoryOptions = {},
  ): Promise<HistoryPage> {
    const page = await readHistory(this.broker, channel, {
      rules: this.#historyRules(channel),
      limit,
      reverse,
      ...(since === undefined ? {} : { since }),
    });
    if (isRefusal(page)) throw page;
    return page;
  }

  async removeHistory(channel: string): Promise<void> {
    this.#historyRules(channel);
    await this.broker.removeHistory(channel);
  }

  async channels(pattern = '*'): Promise<ReadonlyMap<string, { readonly numClients: number }>> {
    const answers = await this.#cluster.askAll('channels', text.encoder.encode(pattern));
    const total = new Map<string, { numClients: number }>();
    for (const answer of answers) {
      const rows = JSON.parse(text.decoder.decode(answer)) as readonly [string, number][];
      for (const [channel, count] of rows) {
        total.set(channel, { numClients: (total.get(channel)?.numClients ?? 0) + count });
      }
    }
    return total;
  }

  #localChannels(pattern: Uint8Array): Uint8Array {
    const matches = compileChannelPattern(text.decoder.decode(pattern));
    const rows: [string, number][] = [];
    for (const table of [this.#streams, this.#maps]) {
      for (const { name, subscriptions } of table.values()) {
        if (subscriptions.size > 0 && matches(name)) rows.push([name, subscriptions.size]);
      }
    }
    return text.encoder.encode(JSON.stringify(rows));
  }

  connections(query: ConnectionsQuery = {}): Promise<ConnectionsPage> {
    return this.#directory.connections(query);
  }

  online(users: readonly string[]): Promise<ReadonlyMap<string, OnlineStatus>> {
    return this.#directory.online(users);
  }

  nodes(): readonly NodeInfo[] {
    return this.#cluster.nodes();
  }

  #describe(): NodeInfo {
    const { clients, users, subscriptions, channels } = this.metrics;
    return {
      uid: this.nodeId,
      name: this.#name,
      version: this.version,
      num_clients: clients,
      num_users: users,
      num_subs: subscriptions,
      num_channels: channels,
      uptime: Math.floor((this.clock.monotonic() - this.#startedAt) / 1000),
    };
  }

  #rules(channel: string): ChannelRules {
    const rules = this.namespaces.resolve(channel);
    if (isRefusal(rules)) throw rules;
    return rules;
  }

  #historyRules(channel: string): ChannelRules {
    const rules = this.#rules(channel);
    if (!rules.hasHistory) throw replyErrors.notAvailable;
    return rules;
  }

  #requirePresence(channel: string): void {
    if (!this.#rules(channel).options.presence) throw replyErrors.notAvailable;
  }

  // ---- positions ----

  streamTop(channel: string, rules: ChannelRules): Promise<Position> {
    return this.#tops.run(channel, async () => {
      if (!rules.isMap) {
        const { historyMetaTtlMs } = rules;
        return (await this.broker.history(channel, { limit: 0, historyMetaTtlMs })).position;
      }
      const { retention } = rules;
      const { position } = await this.mapBroker.readStream(channel, { limit: 0, retention });
      return position ?? { offset: 0, epoch: '' };
    });
  }

  /** Deliveries may be missing: every positioned subscription checks its position soon. */
  #suspect(table: ChannelTable, channels: readonly string[] | undefined): void {
    const suspects =
      channels === undefined
        ? [...table.values()]
        : channels.flatMap((name) => table.get(name) ?? []);
    const now = this.clock.monotonic();
    for (const { subscriptions } of suspects) {
      for (const subscription of subscriptions) {
        if (!subscription.isPositioned) continue;
        subscription.lastPositionCheck = -Infinity;
        // Spread out, so that an interruption does not become a storm of recoveries.
        subscription.session.upkeepBy(now + this.random() * 5_000);
      }
    }
  }
}

function isWithin(code: number, least: number, most: number): boolean {
  return Number.isInteger(code) && code >= least && code <= most;
}
