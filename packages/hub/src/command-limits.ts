import type { HubContext } from './hub-context.ts';
import type { RateLimitOptions } from './client-options.ts';
import { createRate, type Rate, TokenBucket } from './token-bucket.ts';
import { UserMeters } from './user-meters.ts';

/** What becomes of a command: it is handled, answered with error 111, or ends the connection (3013). */
export type RateVerdict = 'pass' | 'refuse' | 'close';

/** Where refusals begin, and where patience ends. */
interface Limit {
  readonly soft: Rate;
  readonly hard: Rate | undefined;
}

/** Counts against one limit. Refused commands count towards the hard one too. */
class CommandMeter {
  readonly #soft = new TokenBucket();
  readonly #hard = new TokenBucket();

  take({ soft, hard }: Limit, now: number): RateVerdict {
    if (hard !== undefined && !this.#hard.take(hard, now)) return 'close';
    return this.#soft.take(soft, now) ? 'pass' : 'refuse';
  }

  isFull(now: number): boolean {
    return this.#soft.isFull(now) && this.#hard.isFull(now);
  }
}

/** What one connection used of its limits; made by its first command. */
export class ConnectionMeters {
  readonly commands: CommandMeter = new CommandMeter();
  publishes: CommandMeter | undefined;
}

type LimitedHub = Pick<HubContext, 'options' | 'clock' | 'metrics'>;

/**
 * How fast clients may send commands: per connection, per user over the connections of this node, and
 * publishes per connection on top. Anonymous clients have no user, so only the first and last hold.
 */
export class CommandLimits {
  readonly #hub: LimitedHub;
  readonly #commands: Limit | undefined;
  readonly #publishes: Limit | undefined;
  readonly #userCommands: Limit | undefined;
  readonly #users = new UserMeters(() => new CommandMeter());

  constructor(hub: LimitedHub) {
    this.#hub = hub;
    const { rateLimit: options, channelLimit } = hub.options;
    // A client that comes back subscribes to all its channels at once; twice, if the network stutters.
    const burst = Math.max(options.commandBurst, 2 * channelLimit);
    this.#commands = createLimit(options, options.commandsPerSecond, burst);
    this.#publishes = createLimit(options, options.publishesPerSecond, options.publishBurst);
    this.#userCommands = createLimit(
      options,
      options.userCommandsPerSecond,
      options.userCommandBurst,
    );
  }

  /** Counts a command of one connection. Hot path: allocates nothing once the meters exist. */
  take(meters: ConnectionMeters, user: string, isPublish: boolean): RateVerdict {
    const now = this.#hub.clock.monotonic();
    if (this.#commands !== undefined) {
      const verdict = meters.commands.take(this.#commands, now);
      if (verdict !== 'pass') return this.#count('connection', verdict);
    }
    if (this.#userCommands !== undefined && user !== '') {
      const verdict = this.#users.of(user, now).take(this.#userCommands, now);
      if (verdict !== 'pass') return this.#count('user', verdict);
    }
    if (this.#publishes !== undefined && isPublish) {
      meters.publishes ??= new CommandMeter();
      const verdict = meters.publishes.take(this.#publishes, now);
      if (verdict !== 'pass') return this.#count('publish', verdict);
    }
    return 'pass';
  }

  /** Users whose speed is remembered. */
  get userCount(): number {
    return this.#users.size;
  }

  #count(limit: string, verdict: RateVerdict): RateVerdict {
    this.#hub.metrics.rateLimited.add(limit);
    return verdict;
  }
}

function createLimit(
  { closeMultiple }: RateLimitOptions,
  perSecond: number,
  burst: number,
): Limit | undefined {
  const soft = createRate(perSecond, burst);
  if (soft === undefined) return undefined;
  return { soft, hard: createRate(perSecond * closeMultiple, burst * closeMultiple) };
}
