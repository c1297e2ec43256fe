import type { LastSeen } from './last-seen.ts';
import type { HubMetrics } from './metrics.ts';
import type { ClientSelector } from './ports/node-bus.ts';
import type { Session } from './session.ts';

/** The authenticated sessions of this node, found by client id, session id or user. */
export class SessionRegistry {
  readonly #metrics: HubMetrics;
  readonly #lastSeen: LastSeen;
  readonly #byClient = new Map<string, Session>();
  readonly #bySessionId = new Map<string, Session>();
  /** The session itself as long as a user has only one, which is nearly always. */
  readonly #byUser = new Map<string, Session | Set<Session>>();

  constructor(metrics: HubMetrics, lastSeen: LastSeen) {
    this.#metrics = metrics;
    this.#lastSeen = lastSeen;
  }

  add(session: Session): void {
    this.#byClient.set(session.id, session);
    if (session.sessionId !== '') this.#bySessionId.set(session.sessionId, session);
    const others = this.#byUser.get(session.user);
    if (others === undefined) this.#byUser.set(session.user, session);
    else if (others instanceof Set) others.add(session);
    else this.#byUser.set(session.user, new Set([others, session]));
    this.#count();
  }

  /** Idempotent. */
  remove(session: Session): void {
    if (!this.#byClient.delete(session.id)) return;
    this.#bySessionId.delete(session.sessionId);
    const sessions = this.#byUser.get(session.user);
    if (sessions instanceof Set && sessions.size > 1) {
      sessions.delete(session);
    } else {
      this.#byUser.delete(session.user);
      if (session.user !== '') this.#lastSeen.left(session.user);
    }
    this.#count();
  }

  #count(): void {
    this.#metrics.clients = this.#byClient.size;
    this.#metrics.users = this.#byUser.size;
  }

  byClient(id: string): Session | undefined {
    return this.#byClient.get(id);
  }

  bySessionId(id: string): Session | undefined {
    return this.#bySessionId.get(id);
  }

  connectionsOf(user: string): number {
    return this.#ofUser(user).length;
  }

  /** A snapshot, so that the caller may end sessions while going through it. */
  select(selector: ClientSelector): readonly Session[] {
    const { client, session: sessionId, whitelist } = selector;
    return this.#ofUser(selector.user).filter(
      (session) =>
        (client === undefined || session.id === client) &&
        (sessionId === undefined || session.sessionId === sessionId) &&
        whitelist?.includes(session.id) !== true,
    );
  }

  #ofUser(user: string): readonly Session[] {
    const sessions = this.#byUser.get(user);
    if (sessions === undefined) return [];
    return sessions instanceof Set ? [...sessions] : [sessions];
  }

  values(): IterableIterator<Session> {
    return this.#byClient.values();
  }
}
