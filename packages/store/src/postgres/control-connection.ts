import type { Client } from 'pg';
import { after, type Clock } from '../clock.ts';

export interface ControlConnectionOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Opens a connection that takes changes. */
  readonly connect: () => Promise<Client>;
  /** Notification channel that wakes the leader. */
  readonly channel: string;
  /** Advisory lock that makes its holder the leader. */
  readonly leaderKey: bigint;
  readonly onWake: () => void;
  readonly onConnected: () => void;
  readonly onLost: () => void;
  /** Rejects when the server has become read-only. */
  readonly verify: (client: Client) => Promise<void>;
  /** So long a connection may be silent before PostgreSQL ends it, and its lock; 0: for ever. */
  readonly leaderTimeoutMs: number;
}

const checkIntervalMs = 1000;
const minBackoffMs = 250;
const maxBackoffMs = 10_000;

/**
 * The one connection that listens for notifications and, while it lives, can hold the session lock
 * that makes this process the leader. Losing the connection ends both at once; it is made anew with
 * full-jitter backoff, for ever.
 *
 * A check every second asks for the lock again, so a dead leader is replaced within about a second
 * after PostgreSQL noticed its death, and finds a connection that has gone silent. PostgreSQL for its
 * part ends a connection that has been silent for the leader's timeout: of a process that hangs or is
 * stopped, or a machine that lost its network, it would hear no end. Such a leader, should it wake, has
 * found itself none before: it counts from the moment it asked, PostgreSQL from its answer.
 */
export class ControlConnection {
  readonly #options: ControlConnectionOptions;
  #client: Client | undefined;
  #isLeader = false;
  /** When the last check began that was answered, in monotonic milliseconds. */
  #provenAt = 0;
  #isClosed = false;
  #attempt = 0;
  #stopTimer: (() => void) | undefined;
  #isPausing = false;
  #isChecking = false;
  #problem: unknown;
  #settled: Promise<void> = Promise.resolve();

  constructor(options: ControlConnectionOptions) {
    this.#options = options;
  }

  get isLeader(): boolean {
    const { clock, leaderTimeoutMs } = this.#options;
    if (!this.#isLeader || leaderTimeoutMs === 0) return this.#isLeader;
    return clock.monotonic() - this.#provenAt < leaderTimeoutMs;
  }

  get isConnected(): boolean {
    return this.#client !== undefined;
  }

  /** Why there is no connection, or undefined. */
  get problem(): unknown {
    return this.#problem;
  }

  /** Makes the first attempt now; whether or not it succeeds, the connection is kept up from here. */
  start(): void {
    this.#settled = this.#connect();
  }

  /** The database answers again: the next attempt comes now, not after its pause. */
  hasten(): void {
    if (!this.#isPausing) return;
    this.#stopTimer?.();
    this.#retry();
  }

  /** As if a notification had come. */
  wake(): void {
    this.#options.onWake();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer?.();
    await this.#settled;
    const client = this.#client;
    this.#client = undefined;
    this.#isLeader = false;
    await client?.end().catch(() => {});
  }

  async #connect(): Promise<void> {
    if (this.#isClosed) return;
    let client: Client | undefined;
    try {
      client = await this.#options.connect();
      await client.query(`listen "${this.#options.channel}"`);
      // Where there is no such setting, before PostgreSQL 14, nothing is set.
      await client.query(
        `select set_config('idle_session_timeout', $1, false)
        where current_setting('idle_session_timeout', true) is not null`,
        [`${this.#options.leaderTimeoutMs}`],
      );
      if (this.#isClosed) {
        await client.end();
        return;
      }
      this.#adopt(client);
      await this.#check();
    } catch (error) {
      this.#problem = error;
      client?.end().catch(() => {});
    }
    this.#schedule();
  }

  #adopt(client: Client): void {
    this.#client = client;
    client.on('error', (error) => this.#lose(client, error));
    client.on('end', () => this.#lose(client, new Error('the connection was closed')));
    client.on('notification', () => {
      if (this.isLeader) this.wake();
    });
    this.#options.onConnected();
  }

  /**
   * Takes the leader's lock when it is free; as leader, proves that the connection still works. A
   * server that has become read-only is left: another one is the primary now, and has its own leader.
   */
  async #check(): Promise<void> {
    const client = this.#client;
    if (client === undefined || this.#isChecking) return;
    this.#isChecking = true;
    const askedAt = this.#options.clock.monotonic();
    try {
      await this.#options.verify(client);
      this.#provenAt = askedAt;
      this.#attempt = 0;
      this.#problem = undefined;
      if (this.#isLeader) return;
      const { rows } = await client.query<{ taken: boolean }>(
        'select pg_try_advisory_lock($1::bigint) as taken',
        [this.#options.leaderKey.toString()],
      );
      if (rows[0]?.taken !== true || client !== this.#client) return;
      this.#isLeader = true;
      this.wake();
    } catch (error) {
      this.#lose(client, error);
    } finally {
      this.#isChecking = false;
    }
  }

  #lose(client: Client, error: unknown): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    this.#isLeader = false;
    this.#problem = error;
    client.end().catch(() => {});
    if (!this.#isClosed) this.#options.onLost();
  }

  #schedule(): void {
    this.#stopTimer?.();
    if (this.#isClosed) return;
    const { clock, random } = this.#options;
    if (this.#client !== undefined) {
      this.#stopTimer = after(clock, checkIntervalMs, () => {
        this.#settled = this.#check().then(() => this.#schedule());
      });
      return;
    }
    const ceiling = Math.min(maxBackoffMs, minBackoffMs * 2 ** this.#attempt);
    this.#attempt = Math.min(this.#attempt + 1, 10);
    this.#isPausing = true;
    this.#stopTimer = after(clock, minBackoffMs + random() * ceiling, () => this.#retry());
  }

  #retry(): void {
    this.#isPausing = false;
    this.#settled = this.#connect();
  }
}
