import type { HubMetrics } from './metrics.ts';
import type { ClientSelector } from './ports/node-bus.ts';
import type { Session } from './session.ts';

/** The authenticated sessions of this node, found by client id, session id or user. */
export class SessionRegistry {
  readonly #metrics: HubMetrics;
  readonly #byClient = new Map<string, Session>();
  readonly #bySessionId = new Map<string, Session>();
  readonly #byUser = new Map<string, Set<Session>>();

  constructor(metrics: HubMetrics) {
    this.#metrics = metrics;
  }

  add(session: Session): void {
    this.#byClient.set(session.id, session);
    if (session.sessionId !== '') this.#bySessionId.set(session.sessionId, session);
    const sessions = this.#byUser.get(session.user);
    if (sessions === undefined) this.#byUser.set(session.user, new Set([session]));
    else sessions.add(session);
    this.#count();
  }

  /** Idempotent. */
  remove(session: Session): void {
    if (!this.#byClient.delete(session.id)) return;
    this.#bySessionId.delete(session.sessionId);
    const sessions = this.#byUser.get(session.user);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#byUser.delete(session.user);
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
    return this.#byUser.get(user)?.size ?? 0;
  }

  /** A snapshot, so that the caller may end sessions while going through it. */
  select(selector: ClientSelector): readonly Session[] {
    const { client, session: sessionId, whitelist } = selector;
    return [...(this.#byUser.get(selector.user) ?? [])].filter(
      (session) =>
        (client === undefined || session.id === client) &&
        (sessionId === undefined || session.sessionId === sessionId) &&
        whitelist?.includes(session.id) !== true,
    );
  }

  values(): IterableIterator<Session> {
    return this.#byClient.values();
  }
}
