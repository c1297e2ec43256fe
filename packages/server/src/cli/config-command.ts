import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { closest } from '../config/closest.ts';
import { explain } from '../config/explain.ts';
import { generateConfig } from '../config/generate-config.ts';
import type { ConfigSources, LoadedConfig } from '../config/load-config.ts';
import { optionKeys } from '../config/option-keys.ts';
import { configFormats, printConfig, type ConfigFormat } from '../config/print-config.ts';
import { tokenWarnings } from '../config/rules/token-rules.ts';
import { configTree } from '../config/schema.ts';
import { addConfigOptions, givenConfig, type GivenConfig } from './config-options.ts';
import { describeProblem, describeWarning } from './describe-findings.ts';
import { loadFromTerminal } from './load-from-terminal.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

/** Runs a command's action and keeps its exit code. */
export type Finish = (code: ExitCode) => void;

function formatOption(): Option {
  return new Option('-f, --format <format>', 'format of the output')
    .choices(configFormats)
    .default('yaml');
}

/** What `holdfast config …` takes and does. */
export function defineConfigCommand(config: Command, terminal: Terminal, finish: Finish): void {
  config.description(
    'Shows what the configuration is, where it comes from, and what is wrong with it.',
  );

  const check = config
    .command('check')
    .summary('say everything that is wrong')
    .description(
      'Reads the configuration as the server would and says everything that is wrong with it, with what to do. Exits with 1 when the server would not start.',
    )
    .argument('[file]', 'the same as --config')
    .option('--strict', 'exit with 1 for warnings too')
    .action((file: string | undefined) => {
      const given = givenConfig(check);
      const strict = check.opts<{ readonly strict?: boolean }>().strict === true;
      const configFile = file ?? given.configFile;
      finish(
        runCheck(terminal, { ...given, ...(configFile !== undefined && { configFile }) }, strict),
      );
    });
  addConfigOptions(check);

  const print = config
    .command('print')
    .summary('print every effective value')
    .description('Prints every option with the value that it has. Secrets are masked.')
    .addOption(formatOption())
    .option('--set-only', 'leave out what has its default')
    .option('--show-secrets', 'print secrets as they are')
    .action(() => {
      const options = print.opts<{
        readonly format: ConfigFormat;
        readonly setOnly?: boolean;
        readonly showSecrets?: boolean;
      }>();
      withConfig(print, { terminal, finish }, ({ config: loaded, sources }) => {
        const text = printConfig(loaded, {
          format: options.format,
          revealed: options.showSecrets === true,
          ...(options.setOnly === true && { onlySet: sources }),
        });
        terminal.out(text.trimEnd());
        return exitCodes.ok;
      });
    });
  addConfigOptions(print);

  const explainCommand = config
    .command('explain')
    .summary('explain options: value, source, default, variable, meaning')
    .description(
      'Explains one option, the options of a section, or all: the value, where it came from, the default, the environment variable and the meaning.',
    )
    .argument('[key]', 'such as client.ping_interval or channel.namespaces[chat]')
    .action((key: string | undefined) => {
      withConfig(explainCommand, { terminal, finish }, (loaded) => {
        const explanation = explain(loaded, key);
        if ('text' in explanation) {
          terminal.out(explanation.text);
          return exitCodes.ok;
        }
        const guess = closest(explanation.unknownKey, optionKeys(configTree));
        const hint = guess === undefined ? '' : ` Did you mean ${guess}?`;
        terminal.err(`There is no option or section ${explanation.unknownKey}.${hint}`);
        return exitCodes.failed;
      });
    });
  addConfigOptions(explainCommand);

  addGenerateCommand(config, terminal, finish);
}

function addGenerateCommand(config: Command, terminal: Terminal, finish: Finish): void {
  const generate = config
    .command('generate')
    .summary('make a file to begin with')
    .description('Makes a commented configuration to begin with, with fresh secrets.')
    .addOption(formatOption())
    .option('-o, --output <file>', 'write this file, readable for its owner only, unless it exists')
    .action(() => {
      const { format, output } = generate.opts<{
        readonly format: ConfigFormat;
        readonly output?: string;
      }>();
      const text = generateConfig(format);
      if (output === undefined) {
        terminal.out(text.trimEnd());
        finish(exitCodes.ok);
        return;
      }
      try {
        writeFileSync(path.resolve(terminal.cwd, output), text, { flag: 'wx', mode: 0o600 });
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
        const why = code === 'EEXIST' ? 'it exists; remove it or choose another name' : code;
        terminal.err(`${output} was not written: ${why}.`);
        finish(exitCodes.failed);
        return;
      }
      terminal.err(`${output} was written. It holds secrets: keep it private.`);
      finish(exitCodes.ok);
    });
}

function runCheck(terminal: Terminal, given: GivenConfig, strict: boolean): ExitCode {
  const result = loadFromTerminal(terminal, given, { makeSecrets: false });
  const warnings =
    'errors' in result ? result.warnings : [...result.warnings, ...tokenWarnings(result.config)];
  for (const warning of warnings) terminal.err(describeWarning(warning, terminal.errColors));
  if ('errors' in result) {
    for (const error of result.errors) terminal.err(describeProblem(error, terminal.errColors));
    terminal.err(`${count(result.errors.length, 'problem')}: the server would not start.`);
    return exitCodes.failed;
  }
  const warned = warnings.length === 0 ? '' : ` With ${count(warnings.length, 'warning')}.`;
  terminal.out(`The configuration can work. ${describeSources(result.sources)}${warned}`);
  return strict && warnings.length > 0 ? exitCodes.failed : exitCodes.ok;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

const sourceNames = {
  'first start': 'the profile of a start without configuration',
  generated: 'the first start',
  dotenv: '.env',
  environment: 'the environment',
  flag: 'flags',
} as const;

/** How many options each source has set. */
function describeSources(sources: ConfigSources): string {
  const numbers = new Map<string, number>();
  for (const origin of sources.values()) {
    if (origin.source === 'default') continue;
    const name = origin.source === 'file' ? origin.file : sourceNames[origin.source];
    numbers.set(name, (numbers.get(name) ?? 0) + 1);
  }
  if (numbers.size === 0) return 'Every option has its default.';
  const parts = [...numbers].map(([name, number]) => `${number} by ${name}`);
  return `Options set: ${parts.join(', ')}.`;
}

/** Loads the configuration for a command; says what is wrong when it cannot work. */
export function withConfig(
  command: Command,
  { terminal, finish }: { readonly terminal: Terminal; readonly finish: Finish },
  action: (loaded: LoadedConfig) => ExitCode,
): void {
  const result = loadFromTerminal(terminal, givenConfig(command), { makeSecrets: false });
  if ('errors' in result) {
    for (const error of result.errors) terminal.err(describeProblem(error, terminal.errColors));
    finish(exitCodes.failed);
    return;
  }
  finish(action(result));
}
