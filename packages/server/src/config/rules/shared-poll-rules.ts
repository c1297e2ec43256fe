import type { OptionPath } from '../option-path.ts';
import type { Report } from '../report.ts';
import type { ChannelConfig, Config } from '../schema.ts';
import { checkProxyUse } from './proxy-rules.ts';

/** Combinations of a namespace's `shared_poll` options that cannot work. */
export function checkSharedPoll(
  channelPath: OptionPath,
  { shared_poll: poll, subscription_type: type }: ChannelConfig,
  { config, report }: { readonly config: Config; readonly report: Report },
): void {
  if (type !== 'shared_poll') return;
  const path = [...channelPath, 'shared_poll'];
  checkProxyUse(
    {
      path: [...path, 'proxy_name'],
      name: poll.proxy_name,
      isEnabled: true,
      fallback: config.channel.proxy.shared_poll_refresh,
      fallbackPath: ['channel', 'proxy', 'shared_poll_refresh'],
    },
    config,
    report,
  );
  if (config.shared_poll.hmac_secret_key.isEmpty) {
    report.problem(['shared_poll', 'hmac_secret_key'], {
      problem: 'is missing',
      reason: 'a namespace has subscription_type: shared_poll, whose keys are signed with it',
      remedy: 'Set it to the secret that your backend signs with.',
    });
  }
  if (poll.publish_enabled && poll.mode !== 'versioned') {
    report.problem([...path, 'publish_enabled'], {
      problem: 'is on, but mode is not versioned',
      reason: 'what is published is compared by version',
      remedy: 'Set mode: versioned.',
    });
  }
}
