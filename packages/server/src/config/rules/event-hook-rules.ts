import type { OptionPath } from '../option-path.ts';
import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';
import { checkNames } from './names.ts';
import { endpointFault } from './proxy-rules.ts';
import { webhookKeyFault } from './webhook-key.ts';

/** Combinations of `event_hooks` that cannot work. */
export function checkEventHooks(config: Config, report: Report): void {
  checkNames(
    ['event_hooks'],
    config.event_hooks.map(({ name }) => name),
    report,
  );
  config.event_hooks.forEach((hook, index) => {
    const path: OptionPath = ['event_hooks', index];
    if (/^\.+$/.test(hook.name)) {
      report.problem([...path, 'name'], {
        problem: `is ${JSON.stringify(hook.name)}`,
        reason: 'it cannot be the name of a folder',
        remedy: 'Choose another name.',
      });
    }
    const fault = endpointFault(hook.endpoint);
    if (fault !== undefined) report.problem([...path, 'endpoint'], fault);
    if (hook.timeout.ms === 0) {
      report.problem([...path, 'timeout'], {
        problem: 'is 0s',
        reason: 'the backend would have no time to accept events',
        remedy: 'Set a time such as "5s".',
      });
    }
    const wrongKey = webhookKeyFault(hook.secret.reveal());
    if (wrongKey !== undefined) report.problem([...path, 'secret'], wrongKey);
  });
}
