import type { ConnectCommand, Engine } from './engine.ts';
import { publicationOf, subscribedEvent } from './bind-subscription.ts';
import type { ChannelEvent, Position } from './wire.ts';

/** As the engine says it of the subscriptions that the client made. */
const connectionLost = { type: 'subscribing', code: 1, reason: 'transport closed' } as const;

export interface ServerChannelsOptions {
  readonly report: (channel: string, event: ChannelEvent) => void;
  /** A connection of another user is open than the one before was. @defaultValue nobody is told */
  readonly userChanged?: () => void;
}

/**
 * Whose connection a token makes: the subject of a JWT. Any other token stands for itself, since only
 * the server knows whom it is for.
 */
export function userOf(token: string): string {
  try {
    const claims = atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
    const { sub } = JSON.parse(claims) as { readonly sub?: unknown };
    if (typeof sub === 'string') return `sub:${sub}`;
  } catch {
    // No JWT.
  }
  return `token:${token}`;
}

/**
 * The channels that the server subscribes a connection to. The engine continues them by itself after a
 * loss; here are the places that it cannot know, since another page had the connection or somebody is
 * further behind, and the rule that no place is carried from one user to another.
 */
export class ServerChannels {
  readonly #report: ServerChannelsOptions['report'];
  readonly #userChanged: () => void;
  readonly #subscribed = new Set<string>();
  /** Where the next connection shall continue. Without a place: what somebody heard of. */
  readonly #wanted = new Map<string, Position | undefined>();
  readonly #confirmed = new Set<string>();
  #user: string | undefined;
  /** Whom the connect command was for that was written last. */
  #asking = '';
  #isWritten = false;

  constructor({ report, userChanged = () => undefined }: ServerChannelsOptions) {
    this.#report = report;
    this.#userChanged = userChanged;
  }

  /** Whose channels these are. Undefined until a connection or {@link accepts} says it. */
  get user(): string | undefined {
    return this.#user;
  }

  /** Whether places of this user mean anything here: they do unless the connection is another's. */
  accepts(user: string): boolean {
    this.#user ??= user;
    return this.#user === user;
  }

  /** The connect command of this attempt is out: what is wanted from now on needs another one. */
  get isWritten(): boolean {
    return this.#isWritten;
  }

  /** An attempt begins. */
  open(): void {
    this.#isWritten = false;
  }

  /** Continues a channel from `since` at the next connection, if that is the same user's. */
  want(channel: string, since: Position | undefined): void {
    if (since !== undefined || !this.#known().has(channel)) this.#wanted.set(channel, since);
  }

  /** The connect command as it shall be sent. */
  rewrite({ subs, ...connect }: ConnectCommand): ConnectCommand {
    this.#isWritten = true;
    this.#asking = userOf(connect.token ?? '');
    if (this.#user !== undefined && this.#user !== this.#asking) return connect;
    // Of an answer that it was kept from going through the engine knows nothing: its places are older.
    const own = Object.entries(subs ?? {}).filter(([channel]) => this.#subscribed.has(channel));
    const wanted = [...this.#wanted].flatMap(([channel, since]) =>
      since === undefined ? [] : [[channel, { recover: true, ...since }] as const],
    );
    return { ...connect, subs: Object.fromEntries([...own, ...wanted]) };
  }

  /** Reports what `engine` says of its channels; to be called once. */
  bind(engine: Engine): void {
    engine.on('connected', () => this.#connected(engine));
    engine.on('subscribed', ({ streamPosition, ...context }) => {
      const { channel, recoverable } = context;
      this.#wanted.delete(channel);
      this.#confirmed.add(channel);
      this.#subscribed.add(channel);
      // Of no use where nothing can be recovered.
      const place = recoverable && streamPosition !== undefined ? { streamPosition } : {};
      this.#report(channel, subscribedEvent({ ...context, ...place }));
    });
    engine.on('subscribing', ({ channel }) => {
      if (this.#subscribed.has(channel)) this.#report(channel, connectionLost);
    });
    engine.on('unsubscribed', ({ channel }) => this.#end(channel, 'the server ended it'));
    engine.on('publication', (context) => {
      this.#report(context.channel, { type: 'publication', publication: publicationOf(context) });
    });
  }

  #connected(engine: Engine): void {
    const isAnother = this.#user !== undefined && this.#user !== this.#asking;
    if (isAnother) this.#endAll('the connection belongs to another user now');
    this.#user = this.#asking;
    if (isAnother) this.#userChanged();
    this.#confirmed.clear();
    // The engine goes through the answer in this same turn, unless a listener disconnects meanwhile.
    queueMicrotask(() => {
      if ((engine.state as string) !== 'connected') return;
      for (const channel of this.#known()) {
        if (!this.#confirmed.has(channel)) this.#end(channel, 'the server ended it');
      }
    });
  }

  #known(): ReadonlySet<string> {
    return new Set([...this.#subscribed, ...this.#wanted.keys()]);
  }

  #endAll(reason: string): void {
    for (const channel of this.#known()) this.#end(channel, reason);
  }

  #end(channel: string, reason: string): void {
    const wasSubscribed = this.#subscribed.delete(channel);
    const wasWanted = this.#wanted.delete(channel);
    if (!wasSubscribed && !wasWanted) return;
    this.#report(channel, { type: 'unsubscribed', code: 0, reason });
  }
}
