import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FlagValue } from '../config/flags.ts';

/** Flags for single options that are given often. */
const shortcuts = [
  { flags: '-p, --port <port>', key: 'http_server.port', help: 'port for clients' },
  {
    flags: '-a, --address <address>',
    key: 'http_server.address',
    help: 'interface to listen on; "localhost" is this machine only, "" is every interface',
  },
  {
    flags: '--log-level <level>',
    key: 'log.level',
    help: 'none, trace, debug, info, warn, error or fatal',
  },
  {
    flags: '--data-dir <folder>',
    key: 'data_dir',
    help: 'folder of the secrets made at the first start, and of the store',
  },
] as const;

/** What the flags of {@link addConfigOptions} were set to. */
export interface GivenConfig {
  readonly configFile?: string;
  readonly flags: readonly FlagValue[];
}

/** Gives a command the flags that name and change the configuration. */
export function addConfigOptions(command: Command): Command {
  command.option('-c, --config <file>', 'configuration file: .yaml, .json or .toml');
  for (const { flags, help } of shortcuts) command.option(flags, help);
  command.addOption(new Option('--admin', 'serve the admin page'));
  command.option(
    '--set <key=value>',
    'set any option, such as client.ping_interval=30s; can be given several times',
    collectSetting,
  );
  return command;
}

function collectSetting(text: string, settings: readonly FlagValue[] = []): readonly FlagValue[] {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) {
    throw new InvalidArgumentError('It must be of the form KEY=VALUE.');
  }
  return [...settings, { flag: `--set ${key}`, key, value }];
}

/** The configuration that a command's flags ask for. */
export function givenConfig(command: Command): GivenConfig {
  const options = command.opts<Readonly<Record<string, unknown>>>();
  const flags: FlagValue[] = [];
  for (const { flags: names, key } of shortcuts) {
    const { attributeName, long } = nameOf(names);
    const value = options[attributeName];
    if (typeof value === 'string') flags.push({ flag: long, key, value });
  }
  if (options.admin === true) flags.push({ flag: '--admin', key: 'admin.enabled', value: 'true' });
  flags.push(...((options.set as readonly FlagValue[] | undefined) ?? []));
  return {
    ...(typeof options.config === 'string' && { configFile: options.config }),
    flags,
  };
}

function nameOf(flags: string): { readonly attributeName: string; readonly long: string } {
  const option = new Option(flags);
  return { attributeName: option.attributeName(), long: option.long ?? flags };
}
