import type { OptionPath } from '../option-path.ts';
import type { Report } from '../report.ts';
import type { ChannelConfig, Config } from '../schema.ts';
import { checkMap } from './map-rules.ts';
import { checkNames } from './names.ts';
import { checkProxyUse } from './proxy-rules.ts';
import { checkSharedPoll } from './shared-poll-rules.ts';

/** Combinations of `channel.*` that cannot work. */
export function checkChannels(config: Config, report: Report): void {
  const { channel } = config;
  checkNames(
    ['channel', 'namespaces'],
    channel.namespaces.map(({ name }) => name),
    report,
  );
  checkSeparators(channel, report);
  checkChannelOptions(['channel', 'without_namespace'], channel.without_namespace, {
    config,
    report,
  });
  channel.namespaces.forEach((namespace, index) => {
    checkChannelOptions(['channel', 'namespaces', index], namespace, { config, report });
  });
}

function checkSeparators(channel: Config['channel'], report: Report): void {
  const separators = ['namespace_boundary', 'user_boundary', 'user_separator'] as const;
  for (const name of separators) {
    if (channel[name] !== '') continue;
    report.problem(['channel', name], {
      problem: 'is empty',
      reason: 'the parts of channel names could not be told apart',
      remedy: 'Set a character, or remove the option for the default.',
    });
  }
  const marks = [channel.private_prefix, ...separators.map((name) => channel[name])].filter(
    Boolean,
  );
  if (new Set(marks).size < marks.length) {
    report.problem(['channel', 'namespace_boundary'], {
      problem:
        'is the same as private_prefix, user_boundary or user_separator, or two of these are',
      reason: 'the parts of channel names could not be told apart',
      remedy: 'Choose different characters.',
    });
  }
}

function checkChannelOptions(
  path: OptionPath,
  options: ChannelConfig,
  { config, report }: { readonly config: Config; readonly report: Report },
): void {
  checkHistory(path, options, { config, report });
  checkDurability(path, options, { config, report });
  if (options.map_clients_presence_channel_prefix !== '') {
    checkPresencePrefix([...path, 'map_clients_presence_channel_prefix'], 'map_clients', {
      prefix: options.map_clients_presence_channel_prefix,
      config,
      report,
    });
  }
  if (options.map_users_presence_channel_prefix !== '') {
    checkPresencePrefix([...path, 'map_users_presence_channel_prefix'], 'map_users', {
      prefix: options.map_users_presence_channel_prefix,
      config,
      report,
    });
  }
  for (const hook of ['subscribe', 'publish', 'sub_refresh'] as const) {
    checkProxyUse(
      {
        path: [...path, `${hook}_proxy_enabled`],
        name: options[`${hook}_proxy_name`],
        isEnabled: options[`${hook}_proxy_enabled`],
        fallback: config.channel.proxy[hook],
        fallbackPath: ['channel', 'proxy', hook],
      },
      config,
      report,
    );
  }
  checkMap(path, options, { config, report });
  checkSharedPoll(path, options, { config, report });
}

function checkHistory(
  path: OptionPath,
  options: ChannelConfig,
  { config, report }: { readonly config: Config; readonly report: Report },
): void {
  const { history_size: size, history_ttl: ttl } = options;
  const hasHistory = size > 0 && ttl.ms > 0;
  if (size > 0 !== ttl.ms > 0) {
    report.problem([...path, size > 0 ? 'history_size' : 'history_ttl'], {
      problem: `is set without ${size > 0 ? 'history_ttl' : 'history_size'}`,
      reason: 'history is kept only when both are set',
      remedy: 'Set both, or neither.',
    });
  }
  const metaTtl =
    options.history_meta_ttl.ms > 0 ? options.history_meta_ttl : config.channel.history_meta_ttl;
  if (metaTtl.ms < ttl.ms) {
    report.problem([...path, 'history_ttl'], {
      problem: `is ${ttl.toString()}, longer than history_meta_ttl (${metaTtl.toString()})`,
      reason: 'publications would outlive the epoch and offsets that they are counted by',
      remedy: 'Make history_meta_ttl much longer than history_ttl.',
    });
  }
  for (const option of ['force_recovery', 'allow_recovery'] as const) {
    if (!options[option] || hasHistory) continue;
    // Centrifugo refuses only the former; the latter there simply never recovers anything.
    if (option === 'allow_recovery') {
      report.warning(
        [...path, option],
        'Recovery needs history_size and history_ttl; without these nothing can be recovered.',
      );
      continue;
    }
    report.problem([...path, option], {
      problem: 'is on without history',
      reason: 'missed publications are recovered from history',
      remedy: 'Set history_size and history_ttl, such as 100 and "300s".',
    });
  }
  if (
    options.auto_cache_recover &&
    !(options.force_recovery && options.force_recovery_mode === 'cache')
  ) {
    report.problem([...path, 'auto_cache_recover'], {
      problem: 'is on without force_recovery and force_recovery_mode: cache',
      reason: 'it sends what cache recovery finds',
      remedy: 'Set force_recovery: true and force_recovery_mode: cache.',
    });
  }
}

/** What a durable channel keeps, and where. */
function checkDurability(
  path: OptionPath,
  options: ChannelConfig,
  { config, report }: { readonly config: Config; readonly report: Report },
): void {
  if (!options.history_durable) return;
  const key = [...path, 'history_durable'];
  const isMap = options.subscription_type.startsWith('map');
  if (!isMap && !(options.history_size > 0 && options.history_ttl.ms > 0)) {
    report.problem(key, {
      problem: 'is on without history',
      reason: 'there would be nothing to keep',
      remedy: 'Set history_size and history_ttl, such as 100 and "300s".',
    });
  }
  if (!config.store.enabled) {
    report.problem(key, {
      problem: 'is on without a store',
      reason: 'publications are kept there',
      remedy: 'Set store.enabled to true, or remove history_durable.',
    });
  } else if (isPostgres(config) && config.node.name === '') {
    report.problem(key, {
      problem: 'is on with a PostgreSQL store and without node.name',
      reason:
        'each server keeps its own streams in the database, under its name, and the default name changes with the host and the port',
      remedy: 'Set node.name to a name that this server keeps, different on each server.',
    });
  }
}

function isPostgres({ store: { url } }: Config): boolean {
  return /^postgres(?:ql)?:/i.test(url.reveal());
}

/** A presence map must be a channel of a namespace of that kind of map. */
function checkPresencePrefix(
  path: OptionPath,
  type: 'map_clients' | 'map_users',
  {
    prefix,
    config,
    report,
  }: { readonly prefix: string; readonly config: Config; readonly report: Report },
): void {
  const { channel } = config;
  const boundary = prefix.indexOf(channel.namespace_boundary);
  const name = boundary < 0 ? '' : prefix.slice(0, boundary);
  const target =
    name === ''
      ? channel.without_namespace
      : channel.namespaces.find((known) => known.name === name);
  if (target?.subscription_type === type) return;
  const where =
    name === '' ? 'channels without namespace' : `the namespace ${JSON.stringify(name)}`;
  report.problem(path, {
    problem: `is ${JSON.stringify(prefix)}, which leads to ${where}${target === undefined ? ', which does not exist' : ''}`,
    reason: `presence can be kept only in a namespace with subscription_type: ${type}`,
    remedy: `Add such a namespace and begin the prefix with its name and "${channel.namespace_boundary}".`,
  });
}
