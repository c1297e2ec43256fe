import type { Layers, RawSection } from './layers.ts';
import { isLoopback } from './rules/exposure.ts';
import type { Config } from './schema.ts';

/**
 * What the server does when it is started with no configuration at all, so that `npm start` shows
 * something that works and is safe:
 *
 * - it listens on the loopback interface only (that is the default of `http_server.address` anyway);
 * - the pages that may connect are those that this server itself serves, by exact origin: other web
 *   sites open in the same browser cannot (a comparison with the `Host` header would not do, since
 *   DNS rebinding lets a stranger's page have a host name that leads here);
 * - everybody needs a token; the secret that signs tokens is made at random and kept in the data
 *   folder, so only the welcome page and the command line of this machine's owner can make one;
 * - channels without namespace, such as `news`, keep their last 100 publications for five minutes,
 *   recover, show presence, and let those who subscribed publish;
 * - health, metrics and the description of the API are served.
 *
 * As soon as any option is configured that says what clients may do, none of this applies and every
 * option has its documented default.
 */
export function firstStartProfile(config: Config): RawSection {
  return {
    client: { allowed_origins: ownOrigins(config.http_server.port) },
    channel: {
      without_namespace: {
        presence: true,
        join_leave: true,
        history_size: 100,
        history_ttl: '300s',
        force_recovery: true,
        allow_subscribe_for_client: true,
        allow_publish_for_subscriber: true,
        allow_presence_for_subscriber: true,
        allow_history_for_subscriber: true,
      },
    },
    health: { enabled: true },
    prometheus: { enabled: true },
    swagger: { enabled: true },
  };
}

function ownOrigins(port: number): readonly string[] {
  // Port 0 is chosen by the system and not known here. Programs that ask for it are tests.
  const suffix = port === 80 ? '' : `:${port === 0 ? '*' : port}`;
  return ['localhost', '127.0.0.1', '[::1]'].map((host) => `http://${host}${suffix}`);
}

/** Options that say where and how the process runs, and nothing about what clients may do. */
const operationalKeys = [
  'data_dir',
  'http_server.address',
  'http_server.port',
  'http_server.internal_address',
  'http_server.internal_port',
  'log',
  'node',
  'pid_file',
  'shutdown',
];

/**
 * Whether the profile of a start without configuration applies: there is no file, nothing but
 * {@link operationalKeys} is set, and nobody but this machine can reach the server.
 */
export function isFirstStart(config: Config, layers: Layers): boolean {
  return (
    isLoopback(config.http_server.address) &&
    [...layers.setPaths].every((path) =>
      operationalKeys.some((key) => path === key || path.startsWith(`${key}.`)),
    )
  );
}
