import {
  Client,
  DatabaseError,
  Pool,
  type ClientBase,
  type ClientConfig,
  type PoolClient,
} from 'pg';
import { readOnlyError } from './postgres-errors.ts';

export interface PostgresPoolOptions {
  /** One for each address, in the order in which they are tried. */
  readonly configs: readonly [ClientConfig, ...ClientConfig[]];
  readonly poolSize: number;
  /** Statements that make a connection what the store expects. */
  readonly settings: string;
  /** Names the server in errors. */
  readonly label: string;
  /** The number of connections is another one. */
  readonly onChange: () => void;
  /** A connection broke. */
  readonly onLost: () => void;
}

interface ConnectionState {
  readonly generation: number;
  /** The last thing that the server remarked beside an answer. */
  notice: string | undefined;
}

/**
 * A few connections to the server that takes changes. In a failover those to the old primary can stay
 * open, and go on answering reads with what was true once. So a new connection is used only when its
 * server is not read-only, and as soon as one shows that its server has become so, all connections of
 * before are given up.
 */
export class PostgresPool {
  readonly #options: PostgresPoolOptions;
  readonly #pool: Pool;
  readonly #states = new WeakMap<object, ConnectionState>();
  /** Counts how often a server was left. With several addresses it chooses the one in use. */
  #generation = 0;

  constructor(options: PostgresPoolOptions) {
    this.#options = options;
    const { configs, poolSize, onChange, onLost } = options;
    const config = (): ClientConfig => this.#config();
    const register = (client: Client): void => this.#register(client);
    this.#pool = new Pool({
      ...configs[0],
      max: poolSize,
      idleTimeoutMillis: 60_000,
      Client: class extends Client {
        constructor() {
          super(config());
          register(this);
        }
      },
      // Typed as returning nothing, but awaited before the connection is handed out.
      onConnect: (client) => this.#prepare(client) as unknown as void,
    });
    // An idle connection broke: the driver has dropped it already.
    this.#pool.on('error', onLost);
    this.#pool.on('connect', onChange);
    this.#pool.on('remove', onChange);
  }

  get size(): number {
    return this.#pool.totalCount;
  }

  /** A connection of the pool, to be given back with {@link release}. Tries every address once. */
  async acquire(): Promise<PoolClient> {
    for (let failures = 0; ;) {
      const generation = this.#generation;
      try {
        const client = await this.#pool.connect();
        if (this.#isCurrent(client)) return client;
        client.release(true);
      } catch (error) {
        this.#failedToConnect(generation, error);
        failures += 1;
        if (failures >= this.#options.configs.length) throw error;
      }
    }
  }

  release(client: PoolClient, isBroken: boolean): void {
    client.release(isBroken || !this.#isCurrent(client));
    if (isBroken) this.#options.onLost();
  }

  /** A connection beside the pool, to the same server. Whoever calls ends it. */
  async connect(): Promise<Client> {
    const generation = this.#generation;
    const client = new Client(this.#config());
    this.#register(client);
    try {
      await client.connect();
      await this.#prepare(client);
      return client;
    } catch (error) {
      this.#failedToConnect(generation, error);
      client.end().catch(() => {});
      throw error;
    }
  }

  /** @throws StoreError `store_unreachable` when the server of this connection takes no changes */
  async verify(client: ClientBase): Promise<void> {
    const { rows } = await client.query<{ is_read_only: boolean }>(
      `select current_setting('transaction_read_only') = 'on' as is_read_only`,
    );
    if (rows[0]?.is_read_only !== true) return;
    this.leaveServerOf(client);
    throw readOnlyError(this.#options.label);
  }

  /** The server of this connection takes no changes any more: everything that leads to it is given up. */
  leaveServerOf(client: ClientBase): void {
    this.#leave(this.#states.get(client)?.generation);
  }

  /** What the server remarked on a connection since this was last asked. */
  takeNotice(client: ClientBase): string | undefined {
    const state = this.#states.get(client);
    const notice = state?.notice;
    if (state !== undefined) state.notice = undefined;
    return notice;
  }

  end(): Promise<void> {
    return this.#pool.end().catch(() => {});
  }

  #config(): ClientConfig {
    const { configs } = this.#options;
    return configs[this.#generation % configs.length] ?? configs[0];
  }

  #register(client: Client): void {
    const state: ConnectionState = { generation: this.#generation, notice: undefined };
    this.#states.set(client, state);
    client.on('notice', ({ message = '' }) => (state.notice = message));
    // While a connection is in use its failure also rejects the statement under way or the next one;
    // without a listener it would end the process.
    client.on('error', () => {});
  }

  async #prepare(client: ClientBase): Promise<void> {
    await client.query(this.#options.settings);
    await this.verify(client);
  }

  #isCurrent(client: ClientBase): boolean {
    return this.#states.get(client)?.generation === this.#generation;
  }

  /** An address that does not answer is left for the next one; a server that refuses may be busy. */
  #failedToConnect(generation: number, error: unknown): void {
    const hasOthers = this.#options.configs.length > 1;
    if (hasOthers && !(error instanceof DatabaseError)) this.#leave(generation);
  }

  /** Once for each server, however many of its connections tell. */
  #leave(generation: number | undefined): void {
    if (generation === this.#generation) this.#generation += 1;
  }
}
