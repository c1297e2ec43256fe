import type { Layers, RawSection } from './layers.ts';
import { isLoopback } from './rules/exposure.ts';
import type { Config } from './schema.ts';

/**
 * What the server does when it is started with no configuration at all, so that `npm start` shows
 * something that works and is safe:
 *
 * - it listens on the loopback interface only (that is the default of `http_server.address` anyway);
 * - the admin page, which is the welcome page, opens with a link that is printed once;
 * - the only web pages that may connect are those of this server, by exact origin: other sites open
 *   in the same browser cannot (comparing with the `Host` header would not do, since DNS rebinding
 *   lets a stranger's page have a host name that leads here);
 * - everybody else needs a token; the secret that signs tokens is made at random and kept in the
 *   data folder, so that only the owner of this machine can make one (`holdfast token create`);
 * - channels without namespace, such as `news`, keep their last 100 publications for five minutes,
 *   recover, show presence, and let those who subscribed publish;
 * - notifications and tasks are kept in the data folder; tasks can be of the kind `example`;
 * - health, metrics and the description of the API are served.
 *
 * As soon as any option is configured that says what clients may do, none of this applies and every
 * option has its documented default.
 */
export const firstStartProfile: RawSection = {
  admin: { enabled: true },
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
  tasks: { kinds: [{ name: 'example', allow_request_for_user: true }] },
};

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
  'store',
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
