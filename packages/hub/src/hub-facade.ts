import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type ClientInfo,
  disconnects,
  ReplyError,
  replyErrors,
  unsubscribeCodes,
} from '@holdfast/protocol';
import { publishToChannel } from './channel-publisher.ts';
import type { ConnectionsPage, ConnectionsQuery, OnlineStatus } from './connection-directory.ts';
import type { Credentials, HubHandlers } from './events.ts';
import type {
  HistoryOptions,
  Hub,
  HubChanges,
  HubOptions,
  InvalidateTokensOptions,
  MapPublishInput,
  MapStateOptions,
  PublishOptions,
  RefreshOptions,
  SharedPollPublication,
  ShutdownOptions,
  SubscribeOptions,
} from './hub.ts';
import { HubNode } from './hub-node.ts';
import { MapOperations } from './map/map-operations.ts';
import type { HubMetrics } from './metrics.ts';
import type { ChannelRules } from './namespaces.ts';
import { toBytes } from './payload.ts';
import type { BrokerPublishResult, HistoryPage, Position } from './ports/broker.ts';
import type { MapChangeResult, MapStatePage, MapStats, MapStreamPage } from './ports/map-broker.ts';
import type { ClientSelector, NodeInfo } from './ports/node-bus.ts';
import type { PresenceStats } from './ports/presence-store.ts';
import { readHistory } from './read-history.ts';
import type { PublicationContract } from './publication-contract.ts';
import { isRefusal, type Refusal } from './refusal.ts';
import type { Dialect } from './transports/dialect.ts';
import type { HttpRefusal } from './transports/http-refusal.ts';
import { WidePublisher } from './wide-publisher.ts';

/** Makes a hub. It serves as soon as {@link Hub.start} or {@link Hub.attach} is called. */
export function createHub(options: HubOptions = {}): Hub {
  return new HubFacade(new HubNode(options));
}

/** The operations of the application that a hub lives in, checked and handed to what does them. */
class HubFacade implements Hub {
  readonly #node: HubNode;
  readonly #maps: MapOperations;
  readonly #widePublisher: WidePublisher;

  constructor(node: HubNode) {
    this.#node = node;
    this.#maps = new MapOperations(node);
    this.#widePublisher = new WidePublisher(
      {
        sessions: node.sessions,
        namespaces: node.namespaces,
        channels: (pattern) => this.channels(pattern),
        broadcast: (channels, data, options) => this.broadcast(channels, data, options),
      },
      node.cluster,
    );
  }

  get nodeId(): string {
    return this.#node.nodeId;
  }

  get contract(): PublicationContract | undefined {
    return this.#node.contract;
  }

  get metrics(): HubMetrics {
    return this.#node.metrics;
  }

  start(): Promise<void> {
    return this.#node.start();
  }

  attach(server: HttpServer, options?: { readonly path?: string }): void {
    this.#node.attach(server, options);
  }

  speak(path: string, dialect: Dialect): ReadonlyMap<string, number> {
    return this.#node.speak(path, dialect);
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#node.handleUpgrade(request, socket, head);
  }

  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    return this.#node.handleRequest(request, response);
  }

  async authenticate(token: string): Promise<Credentials | Refusal> {
    const { tokens, revocations } = this.#node;
    if (token === '' || tokens === undefined) return disconnects.invalidToken;
    const credentials = await tokens.verifyConnection(token);
    if (isRefusal(credentials)) return credentials;
    return revocations.refusalOf(credentials.user, credentials.token) ?? credentials;
  }

  originProblem(request: IncomingMessage): HttpRefusal | undefined {
    return this.#node.gate.originProblem(request);
  }

  problems(): readonly string[] {
    return this.#node.problems();
  }

  concerns(): readonly string[] {
    return this.#node.concerns();
  }

  reconfigure(changes: HubChanges): void {
    this.#node.reconfigure(changes);
  }

  shutdown(options?: ShutdownOptions): Promise<void> {
    return this.#node.shutdown(options);
  }

  on<Name extends keyof HubHandlers>(name: Name, handler: HubHandlers[Name]): () => void {
    return this.#node.handlers.on(name, handler);
  }

  async publish(
    channel: string,
    data: unknown,
    options: PublishOptions = {},
  ): Promise<BrokerPublishResult> {
    const result = await publishToChannel(this.#node, {
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
          this.#node.logger.error({ err: error, channel }, 'one channel of a broadcast failed');
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

  message(client: string, data: unknown): boolean {
    return this.#widePublisher.message(client, toBytes(data));
  }

  async subscribe(
    selector: ClientSelector,
    channel: string,
    { recoverSince, ...grant }: SubscribeOptions = {},
  ): Promise<void> {
    this.#rules(channel);
    await this.#node.cluster.order({
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
    await this.#node.cluster.order({ type: 'unsubscribe', selector, channel, code, reason });
  }

  async disconnect(
    selector: ClientSelector,
    { code, reason }: { code: number; reason: string } = disconnects.forceNoReconnect,
  ): Promise<void> {
    // The range that RFC 6455 §7.4.2 leaves to frameworks and applications.
    if (!isWithin(code, 3000, 4999)) throw replyErrors.badRequest;
    await this.#node.disconnect(selector, { code, reason });
  }

  async refresh(selector: ClientSelector, options: RefreshOptions = {}): Promise<void> {
    await this.#node.cluster.order({ type: 'refresh', selector, ...options });
  }

  async blockUser(user: string, { expireAt = 0 }: { expireAt?: number } = {}): Promise<void> {
    await this.#node.revocations.revoke({ kind: 'user', subject: user, expireAt });
  }

  async unblockUser(user: string): Promise<void> {
    await this.#node.revocations.lift('user', user);
  }

  async revokeToken(tokenId: string, expireAt: number): Promise<void> {
    if (expireAt === 0) throw replyErrors.badRequest;
    await this.#node.revocations.revoke({ kind: 'token', subject: tokenId, expireAt });
  }

  async invalidateUserTokens(
    user: string,
    { issuedBefore, expireAt }: InvalidateTokensOptions,
  ): Promise<void> {
    if (expireAt === 0) throw replyErrors.badRequest;
    const seconds = issuedBefore ?? Math.floor(this.#node.clock.now() / 1000);
    await this.#node.revocations.revoke({
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
    await this.#node.cluster.order({
      type: 'shared_poll_publish',
      channel,
      item: { key, version, data: toBytes(data) },
    });
  }

  publishMap(channel: string, input: MapPublishInput): Promise<MapChangeResult> {
    return this.#maps.publish(channel, input);
  }

  removeMapKey(
    channel: string,
    key: string,
    options: { readonly idempotencyKey?: string; readonly expectedPosition?: Position } = {},
  ): Promise<MapChangeResult> {
    return this.#maps.remove(channel, key, options);
  }

  readMapState(channel: string, options: MapStateOptions = {}): Promise<MapStatePage> {
    return this.#maps.readState(channel, options);
  }

  readMapStream(channel: string, options: HistoryOptions = {}): Promise<MapStreamPage> {
    return this.#maps.readStream(channel, options);
  }

  async mapStats(channel: string): Promise<MapStats> {
    return this.#maps.stats(channel);
  }

  clearMap(channel: string): Promise<void> {
    return this.#maps.clear(channel);
  }

  async presence(channel: string): Promise<ReadonlyMap<string, ClientInfo>> {
    this.#requirePresence(channel);
    return this.#node.presenceStore.get(channel);
  }

  async presenceStats(channel: string): Promise<PresenceStats> {
    this.#requirePresence(channel);
    return this.#node.presenceStore.stats(channel);
  }

  async history(
    channel: string,
    { limit = 0, since, reverse = false }: HistoryOptions = {},
  ): Promise<HistoryPage> {
    const page = await readHistory(this.#node.broker, channel, {
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
    await this.#node.broker.removeHistory(channel);
  }

  channels(pattern = '*'): Promise<ReadonlyMap<string, { readonly numClients: number }>> {
    return this.#node.channelDirectory.channels(pattern);
  }

  connections(query: ConnectionsQuery = {}): Promise<ConnectionsPage> {
    return this.#node.connectionDirectory.connections(query);
  }

  online(users: readonly string[]): Promise<ReadonlyMap<string, OnlineStatus>> {
    return this.#node.connectionDirectory.online(users);
  }

  nodes(): readonly NodeInfo[] {
    return this.#node.cluster.nodes();
  }

  #rules(channel: string): ChannelRules {
    const rules = this.#node.namespaces.resolve(channel);
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
}

function isWithin(code: number, least: number, most: number): boolean {
  return Number.isInteger(code) && code >= least && code <= most;
}
