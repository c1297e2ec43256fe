import type { ClientError } from '../client-error.ts';
import { DirectWire } from '../direct-wire.ts';
import { createEnvironment, type Environment, type EnvironmentSignal } from '../environment.ts';
import { type Bus, openBus } from './bus.ts';
import { ServerChannelTable } from './server-channel-table.ts';
import { SharedChannel } from './shared-channel.ts';
import {
  type Envelope,
  type Leader,
  type LeaderMessage,
  type SharedOptions,
  tabLockName,
  type TabMessage,
  type WantedChannel,
} from './messages.ts';
import { holdLock, type LocksLike } from './web-locks.ts';

interface Tab {
  readonly options: SharedOptions;
  wantsConnection: boolean;
  readonly stopWatching: () => void;
}

/** How long a tab may take to give a token before another one is asked. */
const tokenTimeoutMs = 15_000;

export interface SwitchboardOptions {
  readonly name: string;
  readonly locks: LocksLike;
  /** Whether nobody has seen the leader's page for too long. @defaultValue never, as in a worker */
  readonly isHidden?: () => boolean;
}

/**
 * The leader's half of a shared connection, in a tab or a worker: holds the one connection, counts
 * what the tabs want of it, and tells each of them what is meant for it.
 */
export class Switchboard {
  readonly #name: string;
  readonly #locks: LocksLike;
  readonly #leader: Leader = { term: Date.now(), id: crypto.randomUUID() };
  readonly #isHidden: () => boolean;
  readonly #bus: Bus<Envelope>;
  readonly #tabs = new Map<string, Tab>();
  readonly #channels = new Map<string, SharedChannel>();
  readonly #serverChannels: ServerChannelTable;
  readonly #tokens = new Map<number, (token: string | undefined) => void>();
  readonly #signals = new Set<(signal: EnvironmentSignal) => void>();
  #nextTokenId = 1;
  #wire: DirectWire | undefined;
  #isClosed = false;

  constructor({ name, locks, isHidden = () => false }: SwitchboardOptions) {
    this.#isHidden = isHidden;
    this.#name = name;
    this.#locks = locks;
    this.#serverChannels = new ServerChannelTable({
      connection: () => this.#wire,
      tabs: () => this.#tabs.keys(),
      send: (to, channel, event) => {
        const user = this.#wire?.serverUser ?? '';
        this.#send({ kind: 'server_event', channel, event, user }, to);
      },
    });
    this.#bus = openBus<Envelope>(name, (envelope) => this.#receive(envelope));
    this.#send({ kind: 'leader', isHidden: this.#isHidden() });
  }

  close(): void {
    this.#isClosed = true;
    this.#wire?.close();
    for (const { stopWatching } of this.#tabs.values()) stopWatching();
    this.#bus.close();
  }

  #receive(envelope: Envelope): void {
    if (this.#isClosed) return;
    if (envelope.from === 'asker') {
      const { tab } = envelope;
      const isForgotten = tab !== undefined && !this.#tabs.has(tab);
      this.#send({ kind: 'leader', isHidden: this.#isHidden() }, isForgotten ? [tab] : undefined);
    }
    if (envelope.from === 'tab' && envelope.leader === this.#leader.id) {
      this.#handle(envelope.tab, envelope.body);
    }
  }

  #send(body: LeaderMessage, to?: readonly string[]): void {
    if (this.#isClosed) return;
    const envelope: Envelope = {
      from: 'leader',
      leader: this.#leader,
      ...(to === undefined ? {} : { to }),
      body,
    };
    this.#bus.post(envelope);
  }

  #handle(id: string, message: TabMessage): void {
    if (message.kind === 'hello') {
      this.#welcome(id, message);
      return;
    }
    const tab = this.#tabs.get(id);
    // One that was thought dead is asked to introduce itself again.
    if (tab === undefined) {
      if (message.kind !== 'bye') this.#send({ kind: 'leader', isHidden: this.#isHidden() }, [id]);
      return;
    }
    switch (message.kind) {
      case 'attach':
        this.#attach(id, message);
        break;
      case 'detach':
        this.#detach(id, message.channel);
        break;
      case 'call':
        void this.#answer(id, message.id, () => this.#wireFor(tab).call(message.call));
        break;
      case 'measure':
        void this.#answer(id, message.id, () => this.#wireFor(tab).measureRoundTrip());
        break;
      case 'want':
        tab.wantsConnection = message.connection;
        if (message.connection) this.#wireFor(tab).connect();
        else this.#disconnectIfUnwanted();
        break;
      case 'token':
        // Whoever leads next shall not go back to the token before.
        this.#send({ kind: 'token', token: message.token });
        this.#wireFor(tab).setToken(message.token);
        break;
      case 'token_answer':
        this.#tokens.get(message.id)?.(message.token);
        break;
      case 'wake':
        for (const signal of this.#signals) signal('wake');
        break;
      case 'bye':
        this.#remove(id);
        break;
    }
  }

  #welcome(id: string, hello: TabMessage & { readonly kind: 'hello' }): void {
    this.#tabs.get(id)?.stopWatching();
    for (const channel of this.#channels.values()) channel.remove(id);
    this.#serverChannels.remove(id);
    const tab: Tab = {
      options: hello.options,
      wantsConnection: hello.wantsConnection,
      // The tab holds this lock as long as it lives: to get it means that the tab is gone.
      stopWatching: holdLock(this.#locks, tabLockName(this.#name, id), {
        onHeld: () => {
          this.#remove(id);
          return () => undefined;
        },
      }),
    };
    this.#tabs.set(id, tab);
    const wire = this.#wireFor(tab);
    this.#send({ kind: 'state', state: wire.state }, [id]);
    for (const wanted of hello.channels) this.#attach(id, wanted);
    this.#dropUnused();
    this.#serverChannels.add(id, hello.server);
    if (hello.wantsConnection) wire.connect();
  }

  #remove(id: string): void {
    const tab = this.#tabs.get(id);
    if (tab === undefined) return;
    this.#tabs.delete(id);
    tab.stopWatching();
    for (const channel of this.#channels.values()) channel.remove(id);
    this.#serverChannels.remove(id);
    this.#dropUnused();
    this.#disconnectIfUnwanted();
  }

  #attach(id: string, { channel: name, options, since }: WantedChannel): void {
    const tab = this.#tabs.get(id);
    if (tab === undefined) return;
    let channel = this.#channels.get(name);
    // One that the server ended has nobody left; asking for it again is a new beginning.
    if (channel?.isUnused === true) {
      channel.end();
      channel = undefined;
    }
    if (channel === undefined) {
      const wire = this.#wireFor(tab);
      channel = new SharedChannel(options, {
        begin: (since) => wire.attach(name, options, since),
        end: () => wire.detach(name),
        send: (to, event) => this.#send({ kind: 'event', channel: name, event }, to),
      });
      this.#channels.set(name, channel);
    } else if (JSON.stringify(channel.options) !== JSON.stringify(options)) {
      const event = {
        type: 'unsubscribed',
        code: 0,
        reason: 'another tab has this channel with other options',
      } as const;
      this.#send({ kind: 'event', channel: name, event }, [id]);
      return;
    }
    channel.add(id, since);
  }

  #detach(id: string, name: string): void {
    this.#channels.get(name)?.remove(id);
    this.#dropUnused();
  }

  #dropUnused(): void {
    for (const [name, channel] of this.#channels) {
      if (!channel.isUnused) continue;
      channel.end();
      this.#channels.delete(name);
    }
  }

  #disconnectIfUnwanted(): void {
    if (![...this.#tabs.values()].some(({ wantsConnection }) => wantsConnection)) {
      this.#wire?.disconnect();
    }
  }

  async #answer(tab: string, id: number, ask: () => Promise<unknown>): Promise<void> {
    try {
      this.#send({ kind: 'answer', id, value: await ask() }, [tab]);
    } catch (error) {
      const { code, message, details } = error as ClientError;
      this.#send({ kind: 'failure', id, code, message, details }, [tab]);
    }
  }

  /** The one connection, made with the options of the first tab. */
  #wireFor({ options }: Tab): DirectWire {
    this.#wire ??= new DirectWire(
      {
        ...options,
        environment: this.#environment(),
        ...(options.hasGetToken ? { getToken: async () => this.#token() } : {}),
        ...(options.hasGetChannelToken
          ? { getChannelToken: async (channel: string) => this.#token(channel) }
          : {}),
      },
      {
        state: (state) => this.#send({ kind: 'state', state }),
        channel: (name, event) => this.#channels.get(name)?.handle(event),
        serverChannel: (name, event) => this.#serverChannels.handle(name, event),
        message: (data) => this.#send({ kind: 'message', data }),
      },
    );
    return this.#wire;
  }

  /** The leader's own page ends the leadership when it is frozen; the connection must not wait for it. */
  #environment(): Environment {
    const own = createEnvironment();
    return {
      ...own,
      onSignal: (listener) => {
        this.#signals.add(listener);
        const stop = own.onSignal((signal) => {
          if (signal !== 'suspend' && signal !== 'resume') listener(signal);
        });
        return () => {
          this.#signals.delete(listener);
          stop();
        };
      },
    };
  }

  /** Asks one tab after the other, since only pages have the application's functions. */
  async #token(channel?: string): Promise<string> {
    for (const [id, { options }] of this.#tabs) {
      const hasFunction = channel === undefined ? options.hasGetToken : options.hasGetChannelToken;
      if (!hasFunction) continue;
      const token = await this.#askForToken(id, channel);
      if (token !== undefined) return token;
    }
    throw new Error('no tab could give a token');
  }

  async #askForToken(tab: string, channel: string | undefined): Promise<string | undefined> {
    const id = this.#nextTokenId++;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const timer = setTimeout(() => resolve(undefined), tokenTimeoutMs);
    this.#tokens.set(id, resolve);
    const wanted = channel === undefined ? {} : { channel };
    this.#send({ kind: 'token_wanted', id, ...wanted }, [tab]);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#tokens.delete(id);
    }
  }
}
