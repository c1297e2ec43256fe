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
  /** Reads them anew, and says whether there are any; throws before it changes one that cannot work. */
  readonly renewCertificates: (config: Config) => boolean;
  readonly logger: ServerLogger;
}

const tokenOption = /^client\.(?:subscription_)?token\./;

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
   * that is, and what waits for a restart. Connections and subscriptions stay as they are. Files of
   * certificates are read again, also where their names are the same.
   *
   * @throws StartError, TokenOptionError when a certificate or key cannot work; then nothing changed.
   */
  adopt(next: Config): void {
    const { hub, hubOptions, verifiers, renewCertificates, logger } = this.#options;
    const { config, taken, waiting } = liveChange(this.#current, next);
    // Otherwise they stay, with the key sets that they have read.
    const areKeysNew = taken.some((key) => tokenOption.test(key));
    const renewed: TokenVerifiers = areKeysNew ? createTokenVerifiers(config, logger) : {};
    const { channel, client } = hubOptions(config);
    const hasCertificates = renewCertificates(config);
    const { allowedOrigins, connectionLimit, connectionRateLimit, userConnectionLimit } = client;
    hub.reconfigure({
      channel,
      client: { allowedOrigins, connectionLimit, connectionRateLimit, userConnectionLimit },
    });
    for (const name of ['tokens', 'subscriptionTokens'] as const) {
      const verifier = renewed[name];
      if (verifier !== undefined) verifiers[name]?.replaceWith(verifier);
    }
    this.#current = config;
    logger.level = pinoLevel(config.log.level);
    if (hasCertificates) logger.info('certificates were read again');
    if (taken.length > 0) logger.info({ options: taken }, 'a new configuration was taken over');
    if (waiting.length > 0) {
      logger.warn({ options: waiting }, `needs a restart: ${waiting.join(', ')}`);
    }
    if (taken.length + waiting.length === 0) {
      logger.info('the configuration was read again: it is as before');
    }
  }
}
