import { replyErrors } from '@holdfast/protocol';
import type { Cluster } from './cluster.ts';
import type { TransportInfo } from './events.ts';
import type { HubContext } from './hub-context.ts';
import { fromJsonBytes, toJsonBytes } from './json-bytes.ts';
import type { LastSeen } from './last-seen.ts';
import type { Session } from './session.ts';

/** Most connections of one page, and most users of one question. */
export const maxDirectoryPage = 1_000;

/** Which connections are asked for, page by page. */
export interface ConnectionsQuery {
  /** Only this user's; `''` for anonymous connections. @defaultValue everybody's */
  readonly user?: string;
  /** From 1 to 1000. @defaultValue 100 */
  readonly limit?: number;
  /** The `cursor` of the page before. @defaultValue the first page */
  readonly cursor?: string;
}

/** One authenticated connection, as the server knows it. */
export interface ConnectionSummary {
  readonly client: string;
  readonly user: string;
  /** Id of its node. */
  readonly node: string;
  readonly transport: TransportInfo['name'];
  readonly format: TransportInfo['format'];
  readonly remoteAddress: string;
  /** Client name and version as it introduced itself. */
  readonly name: string;
  readonly version: string;
  /** Unix milliseconds. */
  readonly connectedAt: number;
  readonly numSubscriptions: number;
}

/** A page of {@link Hub.connections}. */
export interface ConnectionsPage {
  /** In the order of client ids. */
  readonly connections: readonly ConnectionSummary[];
  /** Asks for the next page; absent on the last one. */
  readonly cursor?: string;
}

/** Whether a user is connected, and since when not. */
export interface OnlineStatus {
  /** Has at least one connection. */
  readonly isOnline: boolean;
  /** Unix milliseconds: now for who is online. Absent when nothing is known (any more). */
  readonly lastSeenAt?: number;
}

type LocalQuery = ConnectionsQuery & { readonly limit: number };

/** What one node knows of one user: that it is here, when it left (unix ms), or 0 for nothing. */
type Sighting = number | 'online';

/**
 * Who is connected, on all nodes. Each node is asked at the time of the question; one that does not
 * answer within two seconds is logged and left out.
 */
export class ConnectionDirectory {
  readonly #hub: Pick<HubContext, 'nodeId' | 'sessions' | 'clock'>;
  readonly #cluster: Cluster;
  readonly #lastSeen: LastSeen;

  constructor(
    hub: Pick<HubContext, 'nodeId' | 'sessions' | 'clock'>,
    { cluster, lastSeen }: { readonly cluster: Cluster; readonly lastSeen: LastSeen },
  ) {
    this.#hub = hub;
    this.#cluster = cluster;
    this.#lastSeen = lastSeen;
    cluster.handle('connections', (params) =>
      toJsonBytes(this.#localConnections(fromJsonBytes(params) as LocalQuery)),
    );
    cluster.handle('online', (params) =>
      toJsonBytes((fromJsonBytes(params) as readonly string[]).map((user) => this.#sighting(user))),
    );
  }

  /**
   * A page of connections. One that stays is on exactly one page; those that come or go meanwhile are
   * on one or none.
   *
   * @throws ReplyError 107 when `limit` is out of range
   */
  async connections({ limit = 100, ...query }: ConnectionsQuery = {}): Promise<ConnectionsPage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > maxDirectoryPage) {
      throw replyErrors.badRequest;
    }
    const answers = await this.#cluster.askAll(
      'connections',
      toJsonBytes({ ...query, limit: limit + 1 }),
    );
    const rows = answers
      .flatMap((answer) => fromJsonBytes(answer) as readonly ConnectionSummary[])
      .toSorted((left, right) => (left.client < right.client ? -1 : 1));
    const connections = rows.slice(0, limit);
    const cursor = rows.length > limit ? connections.at(-1)?.client : undefined;
    return { connections, ...(cursor === undefined ? {} : { cursor }) };
  }

  /**
   * Which of these users are connected, and when the others were last.
   *
   * @throws ReplyError 107 for more than 1000 users
   */
  async online(users: readonly string[]): Promise<ReadonlyMap<string, OnlineStatus>> {
    if (users.length > maxDirectoryPage) throw replyErrors.badRequest;
    const answers = await this.#cluster.askAll('online', toJsonBytes(users));
    const sightings = answers.map((answer) => fromJsonBytes(answer) as readonly Sighting[]);
    const now = this.#hub.clock.now();
    return new Map(
      users.map((user, index) => [
        user,
        merge(
          sightings.map((ofNode) => ofNode[index] ?? 0),
          now,
        ),
      ]),
    );
  }

  #sighting(user: string): Sighting {
    if (this.#hub.sessions.connectionsOf(user) > 0) return 'online';
    return this.#lastSeen.of(user) ?? 0;
  }

  /** The first `limit` of this node behind the cursor, however many there are. */
  #localConnections({ user, limit, cursor = '' }: LocalQuery): readonly ConnectionSummary[] {
    const { sessions } = this.#hub;
    const candidates = user === undefined ? sessions.values() : sessions.select({ user });
    // Cut down now and then, so that a large node never sorts, or holds, all it has.
    let first: Session[] = [];
    for (const session of candidates) {
      if (session.id > cursor) first.push(session);
      if (first.length >= 4 * limit) first = smallest(first, limit);
    }
    return smallest(first, limit).flatMap((session) => this.#summarise(session));
  }

  #summarise({ connection, subscriptions }: Session): readonly ConnectionSummary[] {
    if (connection === undefined) return [];
    const { client, user, transport, name, version, connectedAt } = connection;
    return [
      {
        client,
        user,
        node: this.#hub.nodeId,
        transport: transport.name,
        format: transport.format,
        remoteAddress: transport.remoteAddress,
        name,
        version,
        connectedAt,
        numSubscriptions: subscriptions.size,
      },
    ];
  }
}

function smallest(sessions: readonly Session[], count: number): Session[] {
  return sessions.toSorted((left, right) => (left.id < right.id ? -1 : 1)).slice(0, count);
}

function merge(sightings: readonly Sighting[], now: number): OnlineStatus {
  if (sightings.includes('online')) return { isOnline: true, lastSeenAt: now };
  const lastSeenAt = Math.max(0, ...sightings.map((sighting) => Number(sighting)));
  return { isOnline: false, ...(lastSeenAt === 0 ? {} : { lastSeenAt }) };
}
