import { stringify as stringifyToml } from 'smol-toml';
import { stringify as stringifyYaml } from 'yaml';
import { effectiveOptions } from './effective-options.ts';
import type { ConfigSources } from './load-config.ts';
import type { Config } from './schema.ts';
import { plainValue } from './show-value.ts';

export const configFormats = ['yaml', 'json', 'toml'] as const;

/** A format that configuration files can have. */
export type ConfigFormat = (typeof configFormats)[number];

/** Writes plain data as the text of a configuration file. */
export function formatData(data: unknown, format: ConfigFormat): string {
  switch (format) {
    case 'yaml':
      return stringifyYaml(data);
    case 'json':
      return `${JSON.stringify(data, null, 2)}\n`;
    case 'toml':
      return `${stringifyToml(data)}\n`;
    default:
      return format satisfies never;
  }
}

export interface PrintOptions {
  readonly format: ConfigFormat;
  /** Secrets as they are; otherwise masked. */
  readonly revealed: boolean;
  /** Only options that are set by anything. @defaultValue all options */
  readonly onlySet?: ConfigSources;
}

/**
 * Writes a configuration as a file that, with secrets revealed, is read as the same configuration.
 */
export function printConfig(config: Config, { format, revealed, onlySet }: PrintOptions): string {
  const data = onlySet === undefined ? config : pickSet(config, onlySet);
  return formatData(plainValue(data, { revealed }), format);
}

/** The part of a configuration that is not default. Elements of lists keep their names. */
function pickSet(config: Config, sources: ConfigSources): object {
  const root: Record<string | number, unknown> = {};
  for (const { path, key, value } of effectiveOptions(config)) {
    if (sources.get(key)?.source === 'default') continue;
    let target = root;
    path.slice(0, -1).forEach((step, index) => {
      target[step] ??= typeof path[index + 1] === 'number' ? [] : {};
      target = target[step] as Record<string | number, unknown>;
    });
    target[path.at(-1) ?? ''] = value;
  }
  return root;
}
