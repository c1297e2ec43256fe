import { hostname, userInfo } from 'node:os';
import path from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import type { Finding } from '@holdfast/tasks';
import type { Config } from '../config/schema.ts';
import { storeUrl } from '../config/store-options.ts';
import type { RepairOptions } from '../repair/examine-tasks.ts';
import type { Finish } from './config-command.ts';
import { addConfigOptions, givenConfig } from './config-options.ts';
import { describeProblem } from './describe-findings.ts';
import { loadFromTerminal } from './load-from-terminal.ts';
import { readTextFile } from './read-text-file.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

interface DoctorFlags {
  readonly heal?: boolean;
  readonly json?: boolean;
  readonly limit: number;
  readonly server?: string;
  readonly foreign?: string;
}

/** Where the database of a foreign table is named, so that its password stands in no file. */
const foreignDatabaseVariable = 'HOLDFAST_FOREIGN_DATABASE';

/** What `holdfast tasks …` takes and does. */
export function defineTasksCommand(tasks: Command, terminal: Terminal, finish: Finish): void {
  tasks.description('Looks after tasks.');

  const doctor = tasks
    .command('doctor')
    .summary('find tasks that look stuck, and end them')
    .description(
      'Finds every task that breaks a rule or should have ended long ago. Changes nothing unless told to heal; each repair is recorded. Works on the store, or through the running server where that has the store to itself. Exits with 1 when something was found and not healed.',
    )
    .option('--heal', 'end what is found')
    .option('--json', 'print one JSON document instead')
    .option('--limit <number>', 'most findings', positive, 1_000)
    .option('--server <url>', 'ask this running server, such as http://127.0.0.1:8000')
    .option(
      '--foreign <file>',
      `examine a table of another product that this file describes (see docs/tasks.md#repair); its database stands there or in ${foreignDatabaseVariable}`,
    )
    .action(async () => {
      finish(await runDoctor(doctor, terminal, doctor.opts<DoctorFlags>()));
    });
  addConfigOptions(doctor);
}

async function runDoctor(
  command: Command,
  terminal: Terminal,
  flags: DoctorFlags,
): Promise<ExitCode> {
  const loaded = loadFromTerminal(terminal, givenConfig(command), { makeSecrets: false });
  if ('errors' in loaded) {
    for (const error of loaded.errors) terminal.err(describeProblem(error, terminal.errColors));
    return exitCodes.failed;
  }
  let findings: readonly Finding[];
  try {
    findings = await examine(loaded.config, terminal, flags);
  } catch (error) {
    terminal.err(`${terminal.errColors.red('error')} ${(error as Error).message}`);
    return exitCodes.failed;
  }
  const left = findings.filter(({ isHealed }) => !isHealed).length;
  if (flags.json === true) {
    terminal.out(JSON.stringify({ ok: left === 0, findings }, undefined, 2));
  } else {
    terminal.out(describeFindings(findings, flags.heal === true));
  }
  return left === 0 ? exitCodes.ok : exitCodes.failed;
}

async function examine(
  config: Config,
  terminal: Terminal,
  flags: DoctorFlags,
): Promise<readonly Finding[]> {
  // Only this command needs the databases' drivers.
  const repair = await import('../repair/examine-tasks.ts');
  const url = storeUrl(config, terminal.cwd);
  const options: RepairOptions = {
    heal: flags.heal === true,
    limit: flags.limit,
    actor: `${userInfo().username}@${hostname()}`,
  };
  if (flags.foreign !== undefined) {
    const mapping = await readMapping(flags.foreign, terminal);
    return repair.examineMappedTable(config, mapping, { ...options, url });
  }
  if (flags.server !== undefined)
    return repair.examineOverApi(serverOf(config, flags.server), options);
  try {
    return await repair.examineOwnTasks(config, { ...options, url });
  } catch (error) {
    if (!repair.isInUse(error)) throw error;
  }
  return repair.examineOverApi(serverOf(config), options);
}

async function readMapping(file: string, terminal: Terminal) {
  const { parseForeignMapping } = await import('../repair/foreign-mapping.ts');
  const text = readTextFile(path.resolve(terminal.cwd, file));
  if (text === undefined) throw new Error(`${file} does not exist`);
  const database = terminal.environment[foreignDatabaseVariable];
  const mapping = parseForeignMapping(file, text, database);
  if (typeof mapping === 'string') throw new Error(mapping);
  return mapping;
}

/** Where the running server of this configuration answers. */
function serverOf(
  { http_server: http, http_api: api, tasks }: Config,
  given?: string,
): { readonly url: string; readonly apiKey: string } {
  const isInternal = http.internal_port !== 0 && !api.external;
  const address = (isInternal && http.internal_address) || http.address;
  const host = ['', 'localhost', '0.0.0.0', '::'].includes(address) ? '127.0.0.1' : address;
  const scheme = (isInternal ? http.internal_tls : http.tls).enabled ? 'https' : 'http';
  const authority = `${host.includes(':') ? `[${host}]` : host}:${isInternal ? http.internal_port : http.port}`;
  const origin = given?.replace(/\/+$/, '') ?? `${scheme}://${authority}`;
  return { url: `${origin}${tasks.handler_prefix}`, apiKey: api.key.reveal() };
}

function describeFindings(findings: readonly Finding[], isHealing: boolean): string {
  if (findings.length === 0) return 'Nothing looks stuck.';
  const lines = findings.map(({ subject, problem, action, isHealed }) => {
    const outcome = isHealing ? (isHealed ? 'healed' : 'not healed') : 'would';
    return `- ${subject}: ${problem}; ${outcome}: ${action}`;
  });
  const healed = findings.filter(({ isHealed }) => isHealed).length;
  const title = isHealing
    ? `${findings.length} found, ${healed} healed:`
    : `${findings.length} found. Nothing was changed; run it again with --heal to end them:`;
  return [title, ...lines].join('\n');
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('It must be a whole number from 1.');
}
