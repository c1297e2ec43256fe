import type { OptionPath } from '../option-path.ts';
import type { Report } from '../report.ts';
import type { ChannelConfig, Config } from '../schema.ts';
import { checkProxyUse } from './proxy-rules.ts';

const mapTypes: ReadonlySet<string> = new Set(['map', 'map_clients', 'map_users']);

/** Lifetime of changes when `map.stream_ttl` is 0. */
const defaultStreamTtlMs = 60_000;

/** Combinations of a namespace's `map` options that cannot work. */
export function checkMap(
  channelPath: OptionPath,
  options: ChannelConfig,
  { config, report }: { readonly config: Config; readonly report: Report },
): void {
  const { map, subscription_type: type } = options;
  const path = [...channelPath, 'map'];
  const isMap = mapTypes.has(type);
  if (isMap && map.mode === '') {
    report.problem([...path, 'mode'], {
      problem: 'is missing',
      reason: `subscription_type is ${type}, and keys of a map either expire or not`,
      remedy: 'Set ephemeral, recoverable or persistent.',
    });
  }
  if (map.remove_client_on_unsubscribe && !isMap) {
    report.problem([...path, 'remove_client_on_unsubscribe'], {
      problem: 'is on, but subscription_type is not a map',
      reason: 'there would be nothing to remove',
      remedy: 'Set subscription_type: map, or turn it off.',
    });
  }
  checkLifetimes(path, options, report);
  checkPageSizes(path, map, report);
  for (const hook of ['publish', 'remove'] as const) {
    const enabled = [...path, `${hook}_proxy_enabled`];
    checkProxyUse(
      {
        path: enabled,
        name: map[`${hook}_proxy_name`],
        isEnabled: map[`${hook}_proxy_enabled`],
        fallback: config.channel.proxy[`map_${hook}`],
        fallbackPath: ['channel', 'proxy', `map_${hook}`],
      },
      config,
      report,
    );
    if (map[`${hook}_proxy_enabled`] && map.client_key !== '') {
      report.problem(enabled, {
        problem: 'is on together with client_key',
        reason: 'both would decide the key that is written',
        remedy: 'Keep one of them.',
      });
    }
  }
}

function checkLifetimes(
  path: OptionPath,
  { map, subscription_type: type }: ChannelConfig,
  report: Report,
): void {
  const expires = map.mode === 'ephemeral' || map.mode === 'recoverable';
  if (expires && map.key_ttl.ms === 0) {
    report.problem([...path, 'key_ttl'], {
      problem: 'is missing',
      reason: `keys of a map of mode ${map.mode} expire`,
      remedy: 'Set a time such as "60s".',
    });
  }
  if (map.mode === 'persistent' && map.key_ttl.ms > 0) {
    report.problem([...path, 'key_ttl'], {
      problem: 'is set',
      reason: 'keys of a map of mode persistent do not expire',
      remedy: 'Remove it, or set mode: recoverable.',
    });
  }
  if (map.mode === 'persistent' && (type === 'map_clients' || type === 'map_users')) {
    report.problem([...path, 'mode'], {
      problem: 'is persistent',
      reason: 'presence entries whose removal was lost would stay for ever',
      remedy: 'Set mode: ephemeral or recoverable, with a key_ttl.',
    });
  }
  if (map.mode === 'ephemeral') {
    for (const option of ['stream_size', 'stream_ttl', 'meta_ttl'] as const) {
      const value = map[option];
      if ((typeof value === 'number' ? value : value.ms) === 0) continue;
      report.problem([...path, option], {
        problem: 'is set',
        reason: 'a map of mode ephemeral has no change stream',
        remedy: 'Remove it, or set mode: recoverable.',
      });
    }
  }
  const streamTtlMs = map.stream_ttl.ms > 0 ? map.stream_ttl.ms : defaultStreamTtlMs;
  if (
    map.mode !== '' &&
    map.mode !== 'ephemeral' &&
    map.meta_ttl.ms > 0 &&
    map.meta_ttl.ms < streamTtlMs
  ) {
    report.problem([...path, 'meta_ttl'], {
      problem: `is ${map.meta_ttl.toString()}, shorter than stream_ttl`,
      reason: 'changes would outlive the epoch and offsets that they are counted by',
      remedy: 'Make meta_ttl longer than stream_ttl (60s when that is not set).',
    });
  }
}

function checkPageSizes(path: OptionPath, map: ChannelConfig['map'], report: Report): void {
  const { min_page_size: min, default_page_size: usual, max_page_size: max } = map;
  const sizes = [
    ['min_page_size', min, 'default_page_size', usual],
    ['default_page_size', usual, 'max_page_size', max],
    ['min_page_size', min, 'max_page_size', max],
  ] as const;
  for (const [lower, low, upper, high] of sizes) {
    if (low === 0 || high === 0 || low <= high) continue;
    report.problem([...path, lower], {
      problem: `is ${low}, more than ${upper} (${high})`,
      reason: 'no page could have the right size',
      remedy: 'Keep min_page_size <= default_page_size <= max_page_size.',
    });
  }
}
