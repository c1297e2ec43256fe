import { setTimeout } from 'node:timers/promises';
import {
  type ClientInfo,
  type Command,
  Disconnect,
  disconnectCodes,
  disconnects,
  ProtocolError,
  type Push,
  type Reply,
  type ReplyError,
  replyErrors,
} from '@holdfast/protocol';
import { ConnectionMeters } from './command-limits.ts';
import { type CommandHost, CommandQueue } from './command-queue.ts';
import { type CommandMethod, handleCommand, methodOf } from './commands/index.ts';
import { endSubscription, expireSubscription } from './end-subscription.ts';
import type { Connection, Credentials, TokenIdentity } from './events.ts';
import type { Handshake } from './handshake-queue.ts';
import type { HubContext } from './hub-context.ts';
import {
  encodePush,
  encodeReply,
  type MessageEncoder,
  type SharedPush,
} from './message-encoder.ts';
import { Pinger } from './pinger.ts';
import { disconnectFor, type Refusal } from './refusal.ts';
import { atOnce, type Soon } from './soon.ts';
import type { Subscription } from './subscription.ts';
import { neverDue, type Sleeper } from './timer-wheel.ts';
import type { Transport, TransportEvents } from './transports/transport.ts';
import { upkeep } from './upkeep.ts';
import type { Flushable } from './write-scheduler.ts';

/** From this size on a batch leaves at once instead of at the end of the tick. */
const earlyFlushBytes = 65_536;

/** One client connection. States, events and invariants: `session.spec.md`. */
export class Session implements TransportEvents, CommandHost, Sleeper, Flushable {
  readonly hub: HubContext;
  readonly transport: Transport;
  readonly encoder: MessageEncoder;
  readonly id: string;
  /** Addresses this session from other requests; `''` where the transport needs none. */
  readonly sessionId: string;
  readonly subscriptions: Map<string, Subscription> = new Map();
  state: 'open' | 'refused' | 'connected' | 'closed' = 'open';
  /** Set from connect on. */
  connection: Connection | undefined;
  clientInfo: ClientInfo;
  /** The connection token, when there was one. */
  token: TokenIdentity | undefined;
  /** Channels of server-side subscriptions that came from the token. */
  tokenChannels: readonly string[] = [];
  wakeTick: number = neverDue;
  /** Monotonic milliseconds. */
  readonly openedAt: number;
  /** Frames of commands that came; a client whose second one came has heard the answer to its first. */
  framesReceived = 0;
  /** While the client is being connected. */
  handshake: Handshake | undefined;
  /** While somebody may wait at the door for this client to be connected. */
  passage: Handshake | undefined;

  readonly #commands: CommandQueue;
  readonly #pinger: Pinger;
  #meters: ConnectionMeters | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isScheduled = false;
  /** Bytes that wait in the transport while it is blocked. */
  #blockedBytes = 0;
  #isBlocked = false;
  #abort: AbortController | undefined;
  #serverSideRefresh = false;
  /** When the client must be connected, or is cut as stale. */
  #connectBy: number;
  /** When the connection must be refreshed or ended, grace included. */
  #expiresAt = Infinity;
  #upkeepAt = Infinity;

  constructor(hub: HubContext, transport: Transport) {
    this.hub = hub;
    this.transport = transport;
    this.encoder = transport.encoder;
    this.id = hub.randomId();
    this.sessionId = transport.needsSessionId ? hub.randomId() : '';
    this.clientInfo = { user: '', client: this.id };
    this.openedAt = hub.clock.monotonic();
    this.#pinger = new Pinger(this);
    this.#commands = new CommandQueue(hub.options, this);
    this.#connectBy = this.openedAt + hub.options.staleCloseDelayMs;
    hub.timers.schedule(this, this.#connectBy);
  }

  get user(): string {
    return this.clientInfo.user;
  }

  /** Aborted when the connection ends. Made when first asked for: most connections never need it. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.state === 'closed') this.#abort.abort(disconnects.connectionClosed);
    return this.#abort.signal;
  }

  // ---- from the transport ----

  receive(frame: Uint8Array): void {
    if (this.state === 'closed') return;
    this.hub.metrics.bytesReceived += frame.length;
    this.framesReceived += 1;
    try {
      this.handle(this.encoder.codec.decodeCommands(frame), frame.length);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.hub.logger.info({ client: this.id, cause: error.code }, error.message);
      this.close(disconnects.badRequest);
    }
  }

  /** Takes the decoded commands of a frame of `bytes`, in order after those before them. */
  handle(commands: readonly Command[], bytes: number): void {
    if (this.state === 'closed') return;
    // A pong answers no command, so it need not wait for those before it.
    if (this.state === 'connected' && commands.length === 1 && isPong(commands[0])) {
      this.#pinger.ponged();
    } else {
      this.#commands.push(commands, bytes);
    }
  }

  ponged(): void {
    this.#pinger.ponged();
  }

  drained(): void {
    this.#isBlocked = false;
    this.#blockedBytes = 0;
    if (this.state === 'closed') return;
    this.#write();
    if (!this.#isBlocked) this.#commands.resume();
  }

  /** The client does not read as fast as it asks: its commands wait until it has read. */
  get isBacklogged(): boolean {
    return this.#isBlocked;
  }

  closed(): void {
    this.#end(0, 'connection closed by the client');
  }

  // ---- commands ----

  /** Undefined when it is done and answered already. */
  #run(command: Command, method: CommandMethod): Promise<void> | undefined {
    const outcome = atOnce(() => handleCommand(this, command, method));
    return outcome === undefined ? undefined : this.#conclude(command, method, outcome);
  }

  async #conclude(
    command: Command,
    method: CommandMethod,
    outcome: Soon<Refusal | undefined>,
  ): Promise<void> {
    let refusal: Refusal | undefined;
    try {
      refusal = await outcome;
    } catch (error) {
      refusal = this.hub.refusalOf(error, { client: this.id, command: method });
    }
    if (refusal === undefined || this.state === 'closed') return;
    if (method === 'connect') {
      this.state = 'refused';
      this.settled();
      const { refusalDelayMs } = this.transport;
      if (refusalDelayMs > 0) await setTimeout(refusalDelayMs, undefined, { ref: false });
    }
    if (refusal instanceof Disconnect) this.close(refusal);
    else if (this.transport.info.unidirectional) this.close(disconnectFor(refusal));
    else this.#replyError(command.id ?? 0, refusal);
  }

  /** Called by the command queue, never for a second command while connect is under way. */
  perform(command: Command): Promise<void> | undefined {
    const method = methodOf(command);
    if (method === undefined || ((command.id ?? 0) === 0 && method !== 'send')) {
      if (method === undefined && (command.id ?? 0) === 0) this.#pinger.ponged();
      else this.close(disconnects.badRequest);
      return undefined;
    }
    this.hub.metrics.commands.add(method);
    const isInPlace = method === 'connect' ? this.state === 'open' : this.state === 'connected';
    if (!isInPlace) this.close(disconnects.badRequest);
    else if (this.#isWithinLimits(command, method)) return this.#run(command, method);
    return undefined;
  }

  #isWithinLimits(command: Command, method: CommandMethod): boolean {
    this.#meters ??= new ConnectionMeters();
    const verdict = this.hub.commandLimits.take(this.#meters, this.user, method === 'publish');
    if (verdict === 'pass') return true;
    if (verdict === 'close') {
      this.hub.logger.warn(
        { client: this.id, user: this.user, command: method },
        "a client is disconnected because it sends commands far faster than 'client.rate_limit' allows",
      );
      this.close(disconnects.tooManyRequests);
    } else if (command.id !== undefined && command.id !== 0) {
      this.#replyError(command.id, replyErrors.tooManyRequests);
    }
    return false;
  }

  setReading(isReading: boolean): void {
    this.transport.setReading(isReading);
  }

  /** The client is connected, and has what it asked for along with it. */
  settled(): void {
    this.handshake?.end();
    this.handshake = undefined;
    this.passage?.end();
    this.passage = undefined;
  }

  /** Waits for the turn of this handshake; the time does not count against the client. */
  takeTurn(): Soon<Refusal | undefined> {
    const handshake = this.hub.admission.handshakes.enter();
    this.handshake = handshake;
    return handshake.state === 'waiting' ? this.#waitFor(handshake) : handshake.refusal;
  }

  async #waitFor(handshake: Handshake): Promise<Refusal | undefined> {
    this.#connectBy = Infinity;
    await handshake.turn();
    this.#connectBy = this.hub.clock.monotonic() + this.hub.options.staleCloseDelayMs;
    if (this.state !== 'closed') this.hub.timers.schedule(this, this.#connectBy);
    return handshake.state === 'over' ? disconnects.connectionClosed : handshake.refusal;
  }

  #replyError(id: number, error: ReplyError): void {
    this.hub.metrics.replyErrors.add(String(error.code));
    const { code, message, temporary } = error;
    this.reply({ id, error: temporary ? { code, message, temporary } : { code, message } });
  }

  // ---- to the client ----

  reply(reply: Reply): void {
    this.#encodeAndQueue(() => encodeReply(this.encoder, reply));
  }

  push(push: Push): void {
    this.#encodeAndQueue(() => encodePush(this.encoder, push));
  }

  #encodeAndQueue(encode: () => Uint8Array): void {
    if (this.state === 'closed') return;
    try {
      this.enqueue(encode());
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.refusePayload();
    }
  }

  /** A payload that is not JSON met a JSON client. */
  refusePayload(): void {
    this.close(disconnects.inappropriateProtocol);
  }

  deliverPush(push: SharedPush): void {
    const message = push.message(this.encoder);
    if (message === null) this.refusePayload();
    else this.enqueue(message);
  }

  /** Queues one publication. Hot path. */
  deliver(message: Uint8Array): void {
    this.hub.metrics.deliveries += 1;
    this.enqueue(message);
  }

  /** Queues an encoded message; it leaves at the end of this tick, unless the client reads too slowly. */
  enqueue(message: Uint8Array): void {
    // A dialect that has no words for a push makes an empty message of it.
    if (this.state === 'closed' || message.length === 0) return;
    this.#queue.push(message);
    this.#queuedBytes += message.length;
    // So that the limit counts what the network does not take, not what one tick brought together.
    if (this.#queuedBytes >= earlyFlushBytes && !this.#isBlocked) this.#write();
    if (this.#queuedBytes + this.#blockedBytes > this.hub.options.queueMaxSizeBytes) {
      this.close(disconnects.slow);
    } else if (!this.#isScheduled && !this.#isBlocked && this.#queuedBytes > 0) {
      this.#scheduleFlush();
    }
  }

  #scheduleFlush(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.hub.writes.add(this);
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.state !== 'closed' && !this.#isBlocked) this.#write();
  }

  #write(): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    const { metrics } = this.hub;
    metrics.writes += 1;
    metrics.bytesSent += this.#queuedBytes;
    this.#queuedBytes = 0;
    const mayGoOn = this.transport.write(queue);
    queue.length = 0;
    if (mayGoOn) return;
    this.#isBlocked = true;
    this.#blockedBytes = this.transport.bufferedBytes;
  }

  // ---- connection ----

  /** Makes the session a known connection. The caller replies and then calls {@link begin}. */
  authenticate(credentials: Credentials, connection: Connection): void {
    const info = credentials.info;
    this.clientInfo = {
      user: credentials.user,
      client: this.id,
      ...(info === undefined ? {} : { conn_info: info }),
    };
    this.connection = connection;
    this.token = credentials.token;
    this.#serverSideRefresh = credentials.serverSideRefresh === true;
    this.setExpiry(credentials.expireAt ?? 0);
    this.hub.sessions.add(this);
  }

  /** The connect result is queued: from here on the session takes commands and pings. */
  begin(): void {
    const { clock, options, random } = this.hub;
    const now = clock.monotonic();
    this.state = 'connected';
    this.#pinger.start(now);
    // Spread over the interval, so that a reconnect storm does not come back as an upkeep storm.
    this.#upkeepAt = now + options.presenceUpdateIntervalMs * (0.5 + random() / 2);
    this.hub.timers.schedule(this, this.#nextDeadline());
  }

  /** Undoes {@link authenticate}: connect was refused after all. */
  revoke(): void {
    this.connection = undefined;
    this.#expiresAt = Infinity;
    this.hub.sessions.remove(this);
    for (const subscription of this.subscriptions.values()) {
      void endSubscription(subscription, { code: 1, reason: 'disconnect' });
    }
  }

  /** @param expireAt - Unix seconds; 0 for never. */
  setExpiry(expireAt: number): void {
    const { clock, options, timers } = this.hub;
    if (expireAt === 0) {
      this.#expiresAt = Infinity;
      return;
    }
    const graceMs = this.#serverSideRefresh ? 0 : options.expiredCloseDelayMs;
    this.#expiresAt = clock.monotonic() + expireAt * 1000 - clock.now() + graceMs;
    timers.schedule(this, this.#expiresAt);
  }

  /** The application gave the client new public info. */
  setInfo(info: Uint8Array): void {
    this.clientInfo = { ...this.clientInfo, conn_info: info };
  }

  /** Deals with whatever is due; the wheel calls this. */
  wake(now: number): number {
    if (this.state === 'closed') return Infinity;
    if (this.state !== 'connected') {
      if (now >= this.#connectBy) this.close(disconnects.stale);
    } else {
      this.#pinger.wake(now);
      if (now >= this.#expiresAt) this.#expire();
      if (now >= this.#upkeepAt) {
        this.#upkeepAt = now + this.hub.options.presenceUpdateIntervalMs;
        upkeep(this, now);
      }
      for (const subscription of this.subscriptions.values()) {
        if (now >= subscription.expiresAt) this.#expireSubscription(subscription);
        if (now >= subscription.catchUpBy) this.close(disconnects.slow);
      }
    }
    return this.#nextDeadline();
  }

  #nextDeadline(): number {
    if (this.state === 'closed') return Infinity;
    if (this.state !== 'connected') return this.#connectBy;
    let next = Math.min(this.#pinger.deadline, this.#expiresAt, this.#upkeepAt);
    for (const subscription of this.subscriptions.values()) {
      next = Math.min(next, subscription.expiresAt, subscription.catchUpBy);
    }
    return next;
  }

  /** Brings the next upkeep forward. */
  upkeepBy(deadline: number): void {
    if (deadline >= this.#upkeepAt) return;
    this.#upkeepAt = deadline;
    this.hub.timers.schedule(this, deadline);
  }

  #expire(): void {
    this.#expiresAt = Infinity;
    if (this.#serverSideRefresh) void this.#run({}, 'server_refresh');
    else this.close(disconnects.expired);
  }

  #expireSubscription(subscription: Subscription): void {
    subscription.expiresAt = Infinity;
    if (subscription.grant.serverSideRefresh === true) {
      void this.#run({ sub_refresh: { channel: subscription.channel } }, 'server_sub_refresh');
    } else {
      expireSubscription(subscription);
    }
  }

  /** Tells the client why, ends the connection and forgets everything about it. Idempotent. */
  close(disconnect: Disconnect): void {
    if (this.state === 'closed') return;
    const { code } = disconnect;
    const isSilent = code === disconnectCodes.connectionClosed.code;
    if (!isSilent && code !== disconnectCodes.slow.code && !this.#isBlocked) this.#write();
    this.hub.metrics.disconnects.add(String(code));
    if (isSilent) this.transport.terminate();
    else this.transport.close(disconnect);
    this.#end(code, disconnect.reason);
  }

  #end(code: number, reason: string): void {
    if (this.state === 'closed') return;
    const wasConnected = this.state === 'connected';
    this.state = 'closed';
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#commands.clear();
    this.settled();
    this.hub.timers.cancel(this);
    this.hub.sessions.remove(this);
    // With a reason of ours no DOMException and its stack are made.
    this.#abort?.abort(disconnects.connectionClosed);
    for (const subscription of this.subscriptions.values()) {
      void endSubscription(subscription, { code: 1, reason: 'disconnect' });
    }
    const { connection } = this;
    if (connection === undefined || !wasConnected) return;
    this.hub.logger.info({ client: this.id, user: this.user, code }, `disconnected: ${reason}`);
    this.hub.notify('disconnected', { connection, code, reason });
  }
}

function isPong(command: Command | undefined): boolean {
  return command !== undefined && (command.id ?? 0) === 0 && methodOf(command) === undefined;
}
