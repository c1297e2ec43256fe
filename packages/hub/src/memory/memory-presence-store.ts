import type { ClientInfo } from '@holdfast/protocol';
import { systemClock, type Clock } from '../clock.ts';
import type { PresenceStats, PresenceStore } from '../ports/presence-store.ts';
import { SweepCursor } from './sweep-cursor.ts';

interface PresenceEntry {
  readonly info: ClientInfo;
  readonly deadline: number;
}

interface PresentClients {
  readonly clients: Map<string, PresenceEntry>;
  /** Clients of each user. */
  readonly users: Map<string, number>;
  /** No entry expires before this. Refreshes leave it behind until the next look at every entry. */
  earliestDeadline: number;
}

const sweepIntervalMs = 1000;
const sweptPerInterval = 10_000;

/**
 * Presence within one process. Bounded by the subscriptions that exist: a client is in it once per
 * channel, and an entry that nobody refreshes goes with its TTL.
 *
 * Hubs of one process that act as a cluster share one store.
 */
export class MemoryPresenceStore implements PresenceStore {
  readonly #clock: Clock;
  readonly #channels = new Map<string, PresentClients>();
  readonly #sweepCursor = new SweepCursor(this.#channels);
  #stopSweep: (() => void) | undefined;

  constructor({ clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock;
  }

  /** Channels that hold entries, for metrics. */
  get channelCount(): number {
    return this.#channels.size;
  }

  async add(channel: string, info: ClientInfo, ttlMs: number): Promise<void> {
    const deadline = this.#clock.monotonic() + ttlMs;
    let present = this.#channels.get(channel);
    if (!present) {
      present = { clients: new Map(), users: new Map(), earliestDeadline: deadline };
      this.#channels.set(channel, present);
    }
    const earlier = present.clients.get(info.client);
    if (earlier?.info.user !== info.user) {
      if (earlier) dropUser(present, earlier.info.user);
      present.users.set(info.user, (present.users.get(info.user) ?? 0) + 1);
    }
    present.clients.set(info.client, { info, deadline });
    present.earliestDeadline = Math.min(present.earliestDeadline, deadline);
    this.#stopSweep ??= this.#clock.every(sweepIntervalMs, () => this.#sweep());
  }

  async remove(channel: string, info: ClientInfo): Promise<void> {
    const present = this.#channels.get(channel);
    if (present) this.#drop(channel, present, info.client);
  }

  async get(channel: string): Promise<ReadonlyMap<string, ClientInfo>> {
    const found = new Map<string, ClientInfo>();
    const present = this.#present(channel);
    if (present) for (const [client, { info }] of present.clients) found.set(client, info);
    return found;
  }

  async stats(channel: string): Promise<PresenceStats> {
    const present = this.#present(channel);
    return { clients: present?.clients.size ?? 0, users: present?.users.size ?? 0 };
  }

  problem(): string | undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#stopSweep?.();
    this.#stopSweep = undefined;
  }

  #present(channel: string): PresentClients | undefined {
    const present = this.#channels.get(channel);
    if (present) this.#expire(channel, present, this.#clock.monotonic());
    return present;
  }

  /** Looks at every entry only when one may have expired, so that `stats` is cheap in between. */
  #expire(channel: string, present: PresentClients, now: number): void {
    if (present.earliestDeadline > now) return;
    let earliest = Infinity;
    for (const [client, { deadline }] of present.clients) {
      if (deadline <= now) this.#drop(channel, present, client);
      else earliest = Math.min(earliest, deadline);
    }
    present.earliestDeadline = earliest;
  }

  #drop(channel: string, present: PresentClients, client: string): void {
    const entry = present.clients.get(client);
    if (!entry) return;
    present.clients.delete(client);
    dropUser(present, entry.info.user);
    if (present.clients.size === 0) this.#channels.delete(channel);
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    this.#sweepCursor.visit(sweptPerInterval, (channel, present) => {
      this.#expire(channel, present, now);
    });
  }
}

function dropUser(present: PresentClients, user: string): void {
  const clients = (present.users.get(user) ?? 1) - 1;
  if (clients > 0) present.users.set(user, clients);
  else present.users.delete(user);
}
