import { parseStoreUrl, StoreError } from '@holdfast/store';
import { durableNamespaces } from '../durable-namespaces.ts';
import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';

/** Combinations of `store` that cannot work, and namespaces that its features would not work well in. */
export function checkStore(config: Config, report: Report): void {
  checkUrl(config, report);
  checkNamespaces(config, report);
}

function checkUrl({ store }: Config, report: Report): void {
  if (store.url.isEmpty) return;
  try {
    parseStoreUrl(store.url.reveal());
  } catch (error) {
    if (!(error instanceof StoreError || error instanceof TypeError)) throw error;
    report.problem(['store', 'url'], {
      problem: 'cannot be used',
      // The error of the store never repeats the URL, which may hold a password.
      reason: error instanceof StoreError ? error.message : 'it names no file on this machine',
      remedy:
        'Write postgres://user:password@host/database, or sqlite: and a path, or leave it out.',
    });
  }
}

const historyMeaning =
  'what a client missed while it was away cannot be recovered: it reads everything anew each time it comes back';

/** A namespace that people describe themselves takes the place of the automatic one as it is. */
function checkNamespaces(config: Config, report: Report): void {
  const seen = new Map<string, string>();
  for (const { name, option } of durableNamespaces(config)) {
    const key = option.join('.');
    if (!/^[-a-zA-Z0-9_.]{2,}$/.test(name)) {
      report.problem(option, {
        problem: `is ${JSON.stringify(name)}`,
        reason: 'a name is two characters or more, of letters, digits, "_", "." and "-"',
        remedy: 'Choose another name.',
      });
      continue;
    }
    const other = seen.get(name);
    if (other !== undefined) {
      report.problem(option, {
        problem: `is ${JSON.stringify(name)}, as ${other} is`,
        reason: 'clients could not tell what a channel carries',
        remedy: 'Choose another name for one of the two.',
      });
    }
    seen.set(name, key);
    const index = config.channel.namespaces.findIndex((namespace) => namespace.name === name);
    const namespace = config.channel.namespaces[index];
    if (namespace === undefined) continue;
    const place = ['channel', 'namespaces', index] as const;
    if (namespace.subscription_type !== '' && namespace.subscription_type !== 'stream') {
      report.problem([...place, 'subscription_type'], {
        problem: `is ${namespace.subscription_type} in the namespace of ${key}`,
        reason: 'its events are a stream',
        remedy: `Remove it, or give ${key} another name.`,
      });
    }
    if (namespace.history_size === 0 || namespace.history_ttl.ms === 0) {
      report.warning(
        [...place, 'history_size'],
        `This is the namespace of ${key}, and it keeps no history: ${historyMeaning}. Set history_size and history_ttl, such as 200 and "10m", or remove the namespace to have the automatic one.`,
      );
    }
    if (!namespace.allow_user_limited_channels) {
      report.warning(
        [...place, 'allow_user_limited_channels'],
        `This is the namespace of ${key}; without allow_user_limited_channels nothing in the name of a channel keeps other users out of it.`,
      );
    }
  }
}
