import type { ClientInfo } from '@holdfast/protocol';

/** How many are in a channel. */
export interface PresenceStats {
  readonly clients: number;
  /** Distinct user ids; the anonymous user `''` counts as one. */
  readonly users: number;
}

/**
 * Who is in a channel right now, over all nodes. Entries of a node that died expire by themselves;
 * the hub refreshes those of its own clients well within the TTL.
 */
export interface PresenceStore {
  /** Adds or refreshes one client. */
  add(channel: string, info: ClientInfo, ttlMs: number): Promise<void>;
  /** Idempotent. When this resolves, reads no longer show the client. */
  remove(channel: string, info: ClientInfo): Promise<void>;
  /** Keyed by client id. Expired entries are never returned. */
  get(channel: string): Promise<ReadonlyMap<string, ClientInfo>>;
  stats(channel: string): Promise<PresenceStats>;
  problem(): string | undefined;
  close(): Promise<void>;
}
