import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';
import { checkNames } from './names.ts';
import { checkProxyUse } from './proxy-rules.ts';

/** Combinations of `rpc.*` that cannot work. */
export function checkRpc(config: Config, report: Report): void {
  const { rpc } = config;
  checkNames(
    ['rpc', 'namespaces'],
    rpc.namespaces.map(({ name }) => name),
    report,
  );
  const sections = [
    [['rpc', 'without_namespace'], rpc.without_namespace] as const,
    ...rpc.namespaces.map((namespace, index) => [['rpc', 'namespaces', index], namespace] as const),
  ];
  for (const [path, options] of sections) {
    checkProxyUse(
      {
        path: [...path, 'proxy_enabled'],
        name: options.proxy_name,
        isEnabled: options.proxy_enabled,
        fallback: rpc.proxy,
        fallbackPath: ['rpc', 'proxy'],
      },
      config,
      report,
    );
  }
}
