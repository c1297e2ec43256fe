import type { ClientError } from '../client-error.ts';
import type { ConnectionState } from '../connection-state.ts';
import { DirectWire } from '../direct-wire.ts';
import { createEnvironment, type Environment, type EnvironmentSignal } from '../environment.ts';
import { type Bus, openBus } from './bus.ts';
import { ServerChannelTable } from './server-channel-table.ts';
import { SharedChannelTable } from './shared-channel-table.ts';
import { TabQuestions } from './tab-questions.ts';
import {
  type Envelope,
  type Leader,
  type LeaderMessage,
  type Question,
  type SharedOptions,
  tabLockName,
  type TabMessage,
} from './messages.ts';
import { holdLock, type LocksLike } from './web-locks.ts';

interface Tab {
  readonly options: SharedOptions;
  wantsConnection: boolean;
  readonly stopWatching: () => void;
}

export interface SwitchboardOptions {
  readonly name: string;
  readonly locks: LocksLike;
  /** The newest term that was heard of, which a clock that was set back must not fall behind. */
  readonly lastTerm?: number;
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
  readonly #leader: Leader;
  readonly #isHidden: () => boolean;
  readonly #bus: Bus<Envelope>;
  readonly #tabs = new Map<string, Tab>();
  readonly #channels: SharedChannelTable;
  readonly #serverChannels: ServerChannelTable;
  readonly #questions: TabQuestions;
  readonly #signals = new Set<(signal: EnvironmentSignal) => void>();
  #wire: DirectWire | undefined;
  /** Who was last seen to have the connection. */
  #user: string | undefined;
  #isClosed = false;

  constructor({ name, locks, lastTerm = 0, isHidden = () => false }: SwitchboardOptions) {
    this.#leader = { term: Math.max(Date.now(), lastTerm + 1), id: crypto.randomUUID() };
    this.#isHidden = isHidden;
    this.#name = name;
    this.#locks = locks;
    this.#questions = new TabQuestions((tab, id, question) =>
      this.#send({ kind: 'wanted', id, ...question }, [tab]),
    );
    this.#channels = new SharedChannelTable({
      connection: () => this.#wire,
      send: (to, channel, events) => this.#send({ kind: 'events', channel, events }, to),
      sign: async (question, tabs) => (await this.#questions.ask(question, tabs)) as never,
    });
    this.#serverChannels = new ServerChannelTable({
      connection: () => this.#wire,
      tabs: () => this.#tabs.keys(),
      send: (to, channel, events) => this.#send({ kind: 'server_events', channel, events }, to),
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
        this.#channels.add(id, message.wanted);
        break;
      case 'detach':
        this.#channels.remove(id, message.channel);
        this.#channels.dropUnused();
        break;
      case 'track':
      case 'untrack':
        this.#channels[message.kind](id, message);
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
      case 'given':
        this.#questions.answer(message.id, message.value);
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
    this.#channels.remove(id);
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
    this.#sendState(wire.state, [id]);
    for (const wanted of hello.channels) this.#channels.add(id, wanted);
    this.#channels.dropUnused();
    this.#serverChannels.add(id, hello.server);
    if (hello.wantsConnection) wire.connect();
  }

  #remove(id: string): void {
    const tab = this.#tabs.get(id);
    if (tab === undefined) return;
    this.#tabs.delete(id);
    tab.stopWatching();
    this.#questions.giveUpOn(id);
    this.#channels.remove(id);
    this.#serverChannels.remove(id);
    this.#channels.dropUnused();
    this.#disconnectIfUnwanted();
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
        ...(options.hasGetToken ? { getToken: async () => this.#token({}, 'hasGetToken') } : {}),
        ...(options.hasGetChannelToken
          ? {
              getChannelToken: async (channel: string) =>
                this.#token({ channel }, 'hasGetChannelToken'),
            }
          : {}),
      },
      {
        state: (state) => {
          this.#noticeUser();
          this.#sendState(state);
        },
        channel: (name, event) => this.#channels.handle(name, event),
        serverChannel: (name, event) => this.#serverChannels.handle(name, event),
        message: (data) => this.#send({ kind: 'message', data }),
      },
    );
    return this.#wire;
  }

  #sendState(state: ConnectionState, to?: readonly string[]): void {
    const user = this.#wire?.serverUser;
    this.#send({ kind: 'state', state, ...(user === undefined ? {} : { user }) }, to);
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

  /** What one user's connection brought is not handed on to a tab over another's. */
  #noticeUser(): void {
    const user = this.#wire?.serverUser;
    if (this.#user !== undefined && user !== this.#user) this.#channels.forget();
    this.#user = user;
  }

  async #token(question: Question, needed: 'hasGetToken' | 'hasGetChannelToken'): Promise<string> {
    return (await this.#questions.ask(question, this.#tabsThat(needed))) as string;
  }

  *#tabsThat(needed: 'hasGetToken' | 'hasGetChannelToken'): Generator<string> {
    for (const [id, { options }] of this.#tabs) if (options[needed]) yield id;
  }
}
