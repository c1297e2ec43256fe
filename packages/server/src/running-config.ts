import type { Hub } from '@holdfast/hub';
import type { Config, ConfiguredHubOptions } from './config/index.ts';
import { liveChange } from './config/live-change.ts';
import { pinoLevel, type ServerLogger } from './logging.ts';
import { createTokenVerifiers, type TokenVerifiers } from './token-verifiers.ts';

export interface RunningConfigOptions {
  readonly config: Config;
  readonly hub: Pick<Hub, 'reconfigure'>;
  readonly hubOptions: (config: Config) => Pick<ConfiguredHubOptions, 'channel' | 'client'>;
  readonly verifiers: TokenVerifiers;
  readonly logger: ServerLogger;
}

/** The configuration that a server runs with, parts of which change while it does. */
export class RunningConfig {
  readonly #options: RunningConfigOptions;
  #current: Config;

  constructor(options: RunningConfigOptions) {
    this.#options = options;
    this.#current = options.config;
  }

  get current(): Config {
    return this.#current;
  }

  /**
   * Takes over what can be taken over of another configuration, all at once, and says in the log what
   * that is, and what waits for a restart. Connections and subscriptions stay as they are.
   */
  adopt(next: Config): void {
    const { hub, hubOptions, verifiers, logger } = this.#options;
    const { config, taken, waiting } = liveChange(this.#current, next);
    const { tokens, subscriptionTokens } = createTokenVerifiers(config, logger);
    const { channel, client } = hubOptions(config);
    const { allowedOrigins, connectionLimit, connectionRateLimit, userConnectionLimit } = client;
    hub.reconfigure({
      channel,
      client: { allowedOrigins, connectionLimit, connectionRateLimit, userConnectionLimit },
    });
    if (tokens !== undefined) verifiers.tokens?.replaceWith(tokens);
    if (subscriptionTokens !== undefined) {
      verifiers.subscriptionTokens?.replaceWith(subscriptionTokens);
    }
    this.#current = config;
    logger.level = pinoLevel(config.log.level);
    if (taken.length > 0) logger.info({ options: taken }, 'a new configuration was taken over');
    if (waiting.length > 0)
      logger.warn({ options: waiting }, `needs a restart: ${waiting.join(', ')}`);
    if (taken.length + waiting.length === 0) {
      logger.info('the configuration was read again: it is as before');
    }
  }
}
