import path from 'node:path';
import { parseEnv } from 'node:util';
import type { z } from 'zod';
import { defaultFileNames, parseConfigFile } from './config-file.ts';
import { effectiveOptions } from './effective-options.ts';
import { applyEnvironment, configFileVariable, type Environment } from './env.ts';
import { firstStartProfile, isFirstStart } from './first-start.ts';
import { applyFlags, type FlagValue } from './flags.ts';
import {
  applyGeneratedSecrets,
  needsGeneratedSecrets,
  type GeneratedSecrets,
} from './generated-secrets.ts';
import { expandHeaderVariables } from './header-variables.ts';
import { Layers } from './layers.ts';
import { displayPath } from './option-path.ts';
import { defaultOrigin, type Origin } from './origin.ts';
import type { ConfigProblem, ConfigWarning } from './problem.ts';
import { Report } from './report.ts';
import { checkChannels } from './rules/channel-rules.ts';
import { checkClient } from './rules/client-rules.ts';
import { checkEventHooks } from './rules/event-hook-rules.ts';
import { warnOfExposure } from './rules/exposure.ts';
import { checkInbox } from './rules/inbox-rules.ts';
import { checkProxies } from './rules/proxy-rules.ts';
import { checkRpc } from './rules/rpc-rules.ts';
import { checkServer } from './rules/server-rules.ts';
import { checkStore } from './rules/store-rules.ts';
import { checkTasks } from './rules/task-rules.ts';
import { checkTls } from './rules/tls-rules.ts';
import { checkTokens } from './rules/token-rules.ts';
import { configSchema, configTree, type Config } from './schema.ts';
import { invalidValueOf, type InvalidValue } from './invalid-value.ts';
import { warnOfUnknownKeys } from './unknown-keys.ts';
import { notYetReason } from './without-effect.ts';

/** Everything that a configuration is made from; nothing else is read. */
export interface ConfigInput {
  /** Working directory: relative paths begin there, and files are looked for there. */
  readonly cwd: string;
  readonly environment: Environment;
  readonly flags?: readonly FlagValue[];
  /** File named on the command line. Must exist. */
  readonly configFile?: string;
  /** Text of a file, `undefined` when there is none. May throw for a file that cannot be read. */
  readonly readFile: (file: string) => string | undefined;
  /**
   * Secrets kept in a data folder; `serve` makes them when they are missing. Asked only when the
   * configuration lacks a secret that it needs.
   * @defaultValue there are none
   */
  readonly readSecrets?: (dataDir: string) => GeneratedSecrets | undefined;
}

/** Where each effective value came from, by key (`channel.namespaces[chat].presence`). */
export type ConfigSources = ReadonlyMap<string, Origin>;

/** A configuration that can work. */
export interface LoadedConfig {
  readonly config: Config;
  readonly sources: ConfigSources;
  readonly warnings: readonly ConfigWarning[];
}

/** Everything that keeps a configuration from working, at once. */
export interface RefusedConfig {
  readonly errors: readonly ConfigProblem[];
  readonly warnings: readonly ConfigWarning[];
}

/**
 * Makes the configuration out of its sources: defaults, then the file, `.env`, the environment and
 * flags, later ones winning option by option. Pure: the same input gives the same result.
 */
export function loadConfig(input: ConfigInput): LoadedConfig | RefusedConfig {
  const layers = new Layers(configTree);
  const errors: ConfigProblem[] = [];
  const warnings: ConfigWarning[] = [];
  const hasFile = applyFile(input, { layers, errors, warnings });
  applyVariables(input, layers, warnings);
  errors.push(...applyFlags(input.flags ?? [], { layers, tree: configTree }));
  warnings.push(...warnOfUnknownKeys(layers.unknownKeys, { tree: configTree, raw: layers.raw }));
  errors.push(...layers.problems, ...expandHeaderVariables(layers, input.environment));

  let parsed = configSchema.safeParse(layers.raw);
  if (parsed.success && !hasFile && errors.length === 0 && isFirstStart(parsed.data, layers)) {
    layers.apply(firstStartProfile, { source: 'first start' });
    parsed = configSchema.safeParse(layers.raw);
  }
  const invalid = parsed.success ? [] : describeIssues(parsed.error, layers);
  errors.push(...invalid.map(({ problem }) => problem));
  // The rules are applied to what is left without the invalid values, so that all problems are told
  // at once; what they say about a section with an invalid value would only follow from that.
  for (const { path: invalidPath } of invalid) layers.remove(invalidPath);
  let config = parsed.success ? parsed.data : configSchema.parse(layers.raw);
  const report = new Report(layers);
  applyRules(config, report);
  checkTls(config, report, (file) => input.readFile(path.resolve(input.cwd, file)));
  const doubtful = invalid.map(({ path: invalidPath }) =>
    displayPath(invalidPath.slice(0, -1), layers.raw),
  );
  errors.push(
    ...report.problems.filter(
      ({ key }) => !doubtful.some((section) => section !== '' && key.startsWith(`${section}.`)),
    ),
  );
  warnings.push(...report.warnings, ...warnOfNotYet(config, layers));
  if (errors.length > 0) return { errors, warnings };
  // Last, so that nothing is made for a server that will not start.
  if (needsGeneratedSecrets(config)) {
    const secrets = input.readSecrets?.(path.resolve(input.cwd, config.data_dir));
    if (secrets !== undefined) applyGeneratedSecrets(secrets, { config, layers });
    config = configSchema.parse(layers.raw);
  }
  const sources = new Map(
    effectiveOptions(config).map(({ key, path: optionPath }) => [
      key,
      layers.originOf(optionPath) ?? defaultOrigin,
    ]),
  );
  return { config, sources, warnings };
}

interface Findings {
  readonly layers: Layers;
  readonly errors: ConfigProblem[];
  readonly warnings: ConfigWarning[];
}

/** @returns whether there was a file. */
function applyFile(input: ConfigInput, { layers, errors, warnings }: Findings): boolean {
  const named = input.configFile ?? input.environment[configFileVariable];
  const candidates = named === undefined || named === '' ? defaultFileNames : [named];
  const found = candidates.flatMap((file) => {
    const text = input.readFile(path.resolve(input.cwd, file));
    return text === undefined ? [] : [{ file, text }];
  });
  const [first, ...others] = found;
  if (first === undefined) {
    if (candidates !== defaultFileNames) {
      errors.push({
        key: String(named),
        problem: 'does not exist',
        reason: 'this file was named as the configuration',
        remedy: 'Correct the name, or make a file to begin with: holdfast config generate',
      });
    }
    return false;
  }
  for (const { file } of others) {
    warnings.push({ key: file, message: `Not read, because ${first.file} is there too.` });
  }
  const result = parseConfigFile(first.file, first.text);
  if ('problem' in result) errors.push(result.problem);
  else layers.apply(result.section, { source: 'file', file: first.file });
  return true;
}

function applyVariables(input: ConfigInput, layers: Layers, warnings: ConfigWarning[]): void {
  const dotenv = input.readFile(path.resolve(input.cwd, '.env'));
  if (dotenv !== undefined) {
    warnings.push(
      ...applyEnvironment(parseEnv(dotenv), {
        layers,
        tree: configTree,
        origin: (variable) => ({ source: 'dotenv', file: '.env', variable }),
      }),
    );
  }
  warnings.push(
    ...applyEnvironment(input.environment, {
      layers,
      tree: configTree,
      origin: (variable) => ({ source: 'environment', variable }),
    }),
  );
}

function applyRules(config: Config, report: Report): void {
  checkServer(config, report);
  checkClient(config, report);
  checkTokens(config, report);
  checkProxies(config, report);
  checkChannels(config, report);
  checkRpc(config, report);
  checkEventHooks(config, report);
  checkStore(config, report);
  checkInbox(config, report);
  checkTasks(config, report);
  warnOfExposure(config, report);
}

/** What keeps a configuration from working whose values are all valid. */
export function rulesBrokenBy(config: Config): readonly ConfigProblem[] {
  const report = new Report(new Layers(configTree));
  applyRules(config, report);
  return report.problems;
}

function describeIssues(error: z.ZodError, layers: Layers): readonly InvalidValue[] {
  const found = new Map<string, InvalidValue>();
  for (const issue of error.issues) {
    const invalid = invalidValueOf(issue, layers);
    // Several issues of one value (each item of a list) are one problem to the reader.
    if (!found.has(invalid.problem.key)) found.set(invalid.problem.key, invalid);
  }
  return [...found.values()];
}

/** Most keys that a warning lists. */
const mostListedKeys = 5;

/** Options that were set to something else than their default but do nothing in this version. */
function warnOfNotYet(config: Config, layers: Layers): readonly ConfigWarning[] {
  const byReason = new Map<string, string[]>();
  for (const { path: optionPath, key, node, value } of effectiveOptions(config)) {
    const why = notYetReason(optionPath);
    const origin = layers.originOf(optionPath);
    if (why === undefined || origin === undefined || origin.source === 'generated') continue;
    if (JSON.stringify(value) === JSON.stringify(node.defaultValue)) continue;
    byReason.set(why, [...(byReason.get(why) ?? []), key]);
  }
  return [...byReason].map(([why, [key = '', ...others]]) => {
    const listed = others.slice(0, mostListedKeys).join(', ');
    const more =
      others.length > mostListedKeys ? ` and ${others.length - mostListedKeys} more` : '';
    const likewise = others.length === 0 ? '' : ` Nor have ${listed}${more}.`;
    return { key, message: `This option has no effect: ${why}.${likewise}` };
  });
}
