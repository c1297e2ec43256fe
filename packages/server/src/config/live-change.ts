import { effectiveOptions, type EffectiveOption } from './effective-options.ts';
import { rulesBrokenBy } from './load-config.ts';
import { schemaKey } from './option-path.ts';
import type { Config } from './schema.ts';
import { Secret } from './secret.ts';
import { hasTokenKey } from './token-options.ts';

/** What a new configuration is to a server that runs with another one. */
export interface LiveChange {
  /** The one that it runs with, and of the new one all that can be taken over. */
  readonly config: Config;
  /** Keys of the options that are taken over. */
  readonly taken: readonly string[];
  /** Keys of options whose new values wait for a restart. */
  readonly waiting: readonly string[];
}

/** Options outside of namespaces that can change while a server runs. */
const liveOptions =
  /^(?:log\.level|http_server\.(?:internal_)?tls\.(?:cert|key)_pem|client\.(?:allowed_origins|connection_limit|connection_rate_limit|user_connection_limit|(?:subscription_)?token\..+))$/;

/** Options of a namespace that cannot: a hook, the kind of its channels, and where they are kept. */
const fixedOption = /(?:_proxy_|^history_durable$|^subscription_type$|^map\.mode$)/;

/** Options that a namespace may be born with, while the server runs. */
const bornWith = /^(?:subscription_type|map\.mode)$/;

/**
 * What of a new configuration can be taken over without a restart. A namespace, and a section of
 * token keys, is taken over as a whole or not at all.
 */
export function liveChange(running: Config, next: Config): LiveChange {
  const differing = differences(running, next);
  const frozen = frozenUnits(running, next, differing);
  const isTaken = (difference: Difference): boolean =>
    !frozen.has(difference.unit) &&
    (difference.isOfNamespace || liveOptions.test(schemaKey(difference.option.path)));
  const config = merge(running, next, frozen);
  // What each configuration can be on its own, the two may not be together.
  const isPossible = rulesBrokenBy(config).length === 0;
  const keysOf = (which: (difference: Difference) => boolean): readonly string[] =>
    differing.filter(which).map(({ option }) => option.key);
  if (!isPossible) return { config: running, taken: [], waiting: keysOf(() => true) };
  return { config, taken: keysOf(isTaken), waiting: keysOf((one) => !isTaken(one)) };
}

interface Difference {
  readonly option: EffectiveOption;
  /** What it belongs to that is taken over as a whole: a namespace, or a section. */
  readonly unit: string;
  readonly isOfNamespace: boolean;
}

function differences(running: Config, next: Config): readonly Difference[] {
  const before = new Map(effectiveOptions(running).map((option) => [option.key, option]));
  const after = new Map(effectiveOptions(next).map((option) => [option.key, option]));
  const all = new Map([...before, ...after]);
  return [...all.values()].flatMap((option) => {
    const { key, node } = option;
    const [old, now] = [before, after].map(
      (options) => options.get(key) ?? { value: node.defaultValue },
    );
    if (comparable(old?.value) === comparable(now?.value)) return [];
    const [unit = ''] =
      /^(?:channel\.(?:without_namespace|namespaces\[[^\]]*\])|client\.(?:subscription_)?token)(?=\.)/.exec(
        key,
      ) ?? [];
    return [{ option, unit, isOfNamespace: unit.startsWith('channel.') }];
  });
}

/** A text that is the same for the same value. Never shown: it holds secrets. */
function comparable(value: unknown): string {
  return value instanceof Secret ? value.reveal() : JSON.stringify(value ?? null);
}

/** Namespaces and sections of token keys that stay as they are until a restart. */
function frozenUnits(
  running: Config,
  next: Config,
  differing: readonly Difference[],
): ReadonlySet<string> {
  const frozen = new Set<string>();
  const old = new Set(running.channel.namespaces.map(({ name }) => unitOf(name)));
  for (const { unit, isOfNamespace, option } of differing) {
    if (!isOfNamespace) continue;
    const name = option.key.slice(unit.length + 1);
    const isBorn = unit !== unitOf('') && !old.has(unit);
    if (fixedOption.test(name) && !(isBorn && bornWith.test(name))) frozen.add(unit);
  }
  // There is a verifier, or there is none.
  if (hasTokenKey(running.client.token) !== hasTokenKey(next.client.token)) {
    frozen.add('client.token');
  }
  if (running.client.subscription_token.enabled !== next.client.subscription_token.enabled) {
    frozen.add('client.subscription_token');
  }
  return frozen;
}

/** @param name - `''` for the channels without a namespace */
function unitOf(name: string): string {
  return name === '' ? 'channel.without_namespace' : `channel.namespaces[${name}]`;
}

function merge(running: Config, next: Config, frozen: ReadonlySet<string>): Config {
  const { client, channel, log, http_server: http } = running;
  const isFrozen = ({ name }: { readonly name: string }): boolean => frozen.has(unitOf(name));
  const { allowed_origins, connection_limit, connection_rate_limit, user_connection_limit } =
    next.client;
  return {
    ...running,
    log: { ...log, level: next.log.level },
    http_server: {
      ...http,
      tls: withCertificate(http.tls, next.http_server.tls),
      internal_tls: withCertificate(http.internal_tls, next.http_server.internal_tls),
    },
    client: {
      ...client,
      allowed_origins,
      connection_limit,
      connection_rate_limit,
      user_connection_limit,
      token: (frozen.has('client.token') ? running : next).client.token,
      subscription_token: (frozen.has('client.subscription_token') ? running : next).client
        .subscription_token,
    },
    channel: {
      ...channel,
      without_namespace: (isFrozen({ name: '' }) ? running : next).channel.without_namespace,
      namespaces: [
        ...next.channel.namespaces.filter((namespace) => !isFrozen(namespace)),
        ...channel.namespaces.filter(isFrozen),
      ],
    },
  };
}

type ServerTls = Config['http_server']['tls'];

function withCertificate(running: ServerTls, { cert_pem, key_pem }: ServerTls): ServerTls {
  return { ...running, cert_pem, key_pem };
}
