import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { Disconnect, protobufCodec, ReplyError, replyErrors } from '@holdfast/protocol';
import { type Admission, createAdmission } from './admission.ts';
import type { TokenVerifier } from './auth/token-verifier.ts';
import { ChannelDirectory } from './channel-directory.ts';
import { type ChannelSource, ChannelTable } from './channel-table.ts';
import { type Clock, systemClock } from './clock.ts';
import { CommandLimits } from './command-limits.ts';
import { Cluster } from './cluster.ts';
import { ConnectionDirectory } from './connection-directory.ts';
import { ConnectionGate } from './connection-gate.ts';
import { loseState } from './end-subscription.ts';
import { EventHandlers } from './event-handlers.ts';
import type { Answer, HubNotices, HubQuestions } from './events.ts';
import type { HubChanges, HubOptions, Logger, ShutdownOptions } from './hub.ts';
import type { HubContext } from './hub-context.ts';
import { LastSeen } from './last-seen.ts';
import type { JournalingOptions } from './memory/journaling.ts';
import { MemoryBroker } from './memory/memory-broker.ts';
import { MemoryBus } from './memory/memory-bus.ts';
import { MemoryMapBroker } from './memory/memory-map-broker.ts';
import { MemoryPresenceStore } from './memory/memory-presence-store.ts';
import { MemoryRevocationStore } from './memory/memory-revocation-store.ts';
import { HubMetrics } from './metrics.ts';
import { type ChannelRules, Namespaces } from './namespaces.ts';
import { defaultChannelsOptions } from './channel-options.ts';
import {
  type ClientOptions,
  defaultAdmissionOptions,
  defaultClientOptions,
} from './client-options.ts';
import {
  defaultWebSocketOptions,
  type HttpTransportsOptions,
  resolveHttpTransportsOptions,
} from './transport-options.ts';
import type { Broker, Position } from './ports/broker.ts';
import type { HubJournals } from './ports/channel-journal.ts';
import type { MapBroker } from './ports/map-broker.ts';
import type { ClientSelector, NodeInfo } from './ports/node-bus.ts';
import type { PresenceStore } from './ports/presence-store.ts';
import type { RevocationStore } from './ports/revocation-store.ts';
import { SingleFlight } from './single-flight.ts';
import type { Refusal } from './refusal.ts';
import { carryOut } from './session-control.ts';
import type { PublicationContract } from './publication-contract.ts';
import { Revocations } from './revocation/revocations.ts';
import { SessionRegistry } from './session-registry.ts';
import { PollTable } from './shared-poll/poll-table.ts';
import type { SharedPollSecrets } from './shared-poll/track-signature.ts';
import { StreamReader } from './stream-reader.ts';
import { TimerWheel } from './timer-wheel.ts';
import { type Dialect, DialectRoom } from './transports/dialect.ts';
import { HttpListener } from './transports/http-listener.ts';
import { LongPollEndpoint } from './transports/long-poll-endpoint.ts';
import { requestTarget } from './transports/request-target.ts';
import { WebSocketListener } from './transports/websocket-listener.ts';
import { WriteScheduler } from './write-scheduler.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** One node of a hub: its parts put together, its life, and what they share. */
export class HubNode implements HubContext {
  readonly nodeId: string;
  readonly version: string;
  #options: ClientOptions;
  readonly namespaces: Namespaces;
  readonly mapBroker: MapBroker;
  readonly #streams: ChannelTable;
  readonly #maps: ChannelTable;
  readonly polls: PollTable = new PollTable(this);
  readonly sharedPollSecrets: SharedPollSecrets | undefined;
  readonly sessions: SessionRegistry;
  readonly revocations: Revocations;
  readonly #revocationStore: RevocationStore;
  readonly broker: Broker;
  readonly streamReader: StreamReader;
  readonly presenceStore: PresenceStore;
  readonly contract: PublicationContract | undefined;
  readonly tokens: TokenVerifier | undefined;
  readonly subscriptionTokens: TokenVerifier | undefined;
  readonly metrics: HubMetrics = new HubMetrics();
  readonly commandLimits: CommandLimits;
  readonly admission: Admission;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly writes: WriteScheduler = new WriteScheduler();
  readonly random: () => number;
  readonly randomId: () => string;
  readonly #name: string;
  readonly #nodeDetails: () => Pick<NodeInfo, 'metrics' | 'process'>;
  readonly cluster: Cluster;
  readonly connectionDirectory: ConnectionDirectory;
  readonly channelDirectory: ChannelDirectory;
  readonly gate: ConnectionGate;
  readonly #webSockets: WebSocketListener;
  readonly #http: HttpListener;
  readonly #httpOptions: HttpTransportsOptions;
  readonly #dialects = new Map<string, DialectRoom>();
  readonly #webSocketPaths = new Set<string>();
  readonly handlers: EventHandlers;
  readonly #tops = new SingleFlight<Position>();
  readonly #startedAt: number;
  #started: Promise<void> | undefined;
  #isStarted = false;
  #shutdown: Promise<void> | undefined;

  constructor(options: HubOptions) {
    this.#name = options.name ?? hostname();
    this.#nodeDetails = options.nodeDetails ?? (() => ({}));
    this.version = options.version ?? '';
    this.#options = { ...defaultClientOptions, ...options.client };
    this.logger = options.logger ?? silent;
    this.handlers = new EventHandlers(this.logger);
    this.clock = options.clock ?? systemClock;
    this.commandLimits = new CommandLimits(this);
    this.random = options.random ?? Math.random;
    this.randomId = options.randomId ?? (() => crypto.randomUUID());
    this.nodeId = this.randomId();
    this.admission = createAdmission({
      options: { ...defaultAdmissionOptions, ...options.admission },
      clock: this.clock,
      logger: this.logger,
      metrics: this.metrics,
      random: this.random,
    });
    this.contract = options.contract;
    this.tokens = options.tokens;
    this.subscriptionTokens = options.subscriptionTokens;
    this.sharedPollSecrets = options.sharedPoll;
    this.namespaces = new Namespaces({ ...defaultChannelsOptions, ...options.channel });
    this.broker =
      options.broker ??
      new MemoryBroker({ clock: this.clock, ...this.#journaled(options, 'streams') });
    this.streamReader = new StreamReader({
      broker: this.broker,
      recoveryLimit: this.options.recoveryMaxPublicationLimit,
      metrics: this.metrics,
    });
    this.presenceStore = options.presence ?? new MemoryPresenceStore({ clock: this.clock });
    this.timers = new TimerWheel(this.clock);
    const lastSeen = new LastSeen(this.options, this.clock);
    this.sessions = new SessionRegistry(this.metrics, lastSeen);
    this.#startedAt = this.clock.monotonic();
    this.mapBroker =
      options.mapBroker ??
      new MemoryMapBroker({ clock: this.clock, ...this.#journaled(options, 'maps') });
    this.#streams = this.#createTable(this.broker);
    this.#maps = this.#createTable(this.mapBroker);
    this.cluster = new Cluster({
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
    this.cluster.handle('emulation', (params) => this.#emulate(params));
    this.#revocationStore = options.revocations ?? new MemoryRevocationStore({ clock: this.clock });
    this.revocations = new Revocations(this, {
      cluster: this.cluster,
      store: this.#revocationStore,
    });
    this.channelDirectory = new ChannelDirectory([this.#streams, this.#maps], this.cluster);
    this.connectionDirectory = new ConnectionDirectory(this, { cluster: this.cluster, lastSeen });
    const webSocketOptions = { ...defaultWebSocketOptions, ...options.websocket };
    this.#httpOptions = resolveHttpTransportsOptions(options.http);
    this.gate = new ConnectionGate(this);
    this.#webSockets = new WebSocketListener({
      hub: this,
      gate: this.gate,
      options: webSocketOptions,
    });
    const longPolls = new LongPollEndpoint({
      hub: this,
      gate: this.gate,
      options: this.#httpOptions.polling,
      ask: (nodeId, params, deadlineMs) =>
        this.cluster.ask(nodeId, { method: 'long_poll', params, deadlineMs }),
    });
    this.cluster.handle('long_poll', (params) => longPolls.answer(params));
    this.#http = new HttpListener({
      hub: this,
      gate: this.gate,
      longPolls,
      options: this.#httpOptions,
      writeTimeoutMs: webSocketOptions.writeTimeoutMs,
      forward: async (nodeId, session, data) => {
        const params = protobufCodec.encodeEmulation({ node: nodeId, session, data });
        await this.cluster.ask(nodeId, { method: 'emulation', params });
      },
    });
  }

  /** @throws TypeError when there are durable channels and nothing that could keep them */
  #journaled(
    { journals }: HubOptions,
    kind: keyof HubJournals,
  ): { readonly journaling?: JournalingOptions } {
    const { hasDurable } = this.namespaces;
    if (journals === undefined) {
      if (!hasDurable) return {};
      throw new TypeError('historyDurable needs HubOptions.journals to keep the channels in');
    }
    return {
      journaling: {
        journal: journals[kind],
        isDurable: (channel) => hasDurable && this.namespaces.isDurable(channel),
        logger: this.logger,
        metrics: this.metrics.journal,
      },
    };
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

  get starting(): Promise<void> | undefined {
    return this.#isStarted ? undefined : this.start();
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
          loseState(subscription);
        }
      },
      interrupted: (channels) => this.#suspect(this.#maps, channels),
    });
    await this.cluster.start();
    this.#isStarted = true;
  }

  attach(
    server: HttpServer,
    { path = '/connection/websocket' }: { readonly path?: string } = {},
  ): void {
    this.start().catch((error: unknown) => {
      this.logger.error({ err: error }, 'the hub could not start; clients are refused');
    });
    const { uniWebsocket } = this.#httpOptions;
    this.#webSocketPaths.add(path);
    if (uniWebsocket.enabled) this.#webSocketPaths.add(uniWebsocket.handlerPrefix);
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const target = requestTarget(request.url);
      const room = this.#dialects.get(target.path);
      if (room !== undefined) {
        this.#webSockets.handleUpgrade(request, { socket, head, room });
      } else if (target.path === path) {
        this.handleUpgrade(request, socket, head);
      } else if (uniWebsocket.enabled && target.path === uniWebsocket.handlerPrefix) {
        this.#webSockets.handleUpgrade(request, { socket, head, isUnidirectional: true });
      } else if (server.listenerCount('upgrade') === 1) {
        // The only listener must answer: node:http leaves upgraded sockets to us.
        this.#webSockets.refuseUnknownPath(socket);
      }
    });
  }

  speak(path: string, dialect: Dialect): ReadonlyMap<string, number> {
    const room = new DialectRoom(dialect);
    if (dialect.medium === 'event_stream') {
      this.#http.speak(path, room);
    } else {
      this.#dialects.set(path, room);
      this.#webSocketPaths.add(path);
    }
    return room.connections;
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

  get options(): ClientOptions {
    return this.#options;
  }

  reconfigure({ channel, client }: HubChanges): void {
    this.namespaces.replace(channel);
    this.#options = { ...this.#options, ...client };
    this.gate.reconfigure();
  }

  shutdown(options: ShutdownOptions = {}): Promise<void> {
    this.#shutdown ??= this.#close(options);
    return this.#shutdown;
  }

  async #close({ timeoutMs = 30_000, drainWindowMs = 0 }: ShutdownOptions): Promise<void> {
    const isAlone = this.cluster.nodes().length === 1;
    await this.gate.close({ timeoutMs, drainWindowMs: isAlone ? 0 : drainWindowMs });
    this.admission.door.close();
    this.admission.handshakes.close();
    this.#webSockets.close();
    this.timers.close();
    await this.cluster.close();
    await this.#revocationStore.close();
    await this.presenceStore.close();
    await this.mapBroker.close();
    await this.broker.close();
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
      ...this.#nodeDetails(),
    };
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

  concerns(): readonly string[] {
    const concerns = [this.broker, this.mapBroker].flatMap((broker) => broker.concern?.() ?? []);
    return [...new Set(concerns)];
  }

  // ---- events ----

  isAsked(name: keyof HubQuestions): boolean {
    return this.handlers.isAsked(name);
  }

  ask<Name extends keyof HubQuestions>(
    name: Name,
    event: Parameters<HubQuestions[Name]>[0],
  ): Promise<Answer<Name> | undefined> {
    return this.handlers.ask(name, event);
  }

  notify<Name extends keyof HubNotices>(name: Name, event: Parameters<HubNotices[Name]>[0]): void {
    this.handlers.notify(name, event);
  }

  refusalOf(error: unknown, context: object): Refusal {
    if (error instanceof ReplyError || error instanceof Disconnect) return error;
    this.logger.error({ ...context, err: error }, 'a command failed unexpectedly');
    return replyErrors.internal;
  }

  disconnect(
    selector: ClientSelector,
    { code, reason }: { readonly code: number; readonly reason: string },
  ): Promise<void> {
    return this.cluster.order({ type: 'disconnect', selector, code, reason });
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
