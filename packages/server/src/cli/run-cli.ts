import { Command, CommanderError } from 'commander';
import { version } from '../version.ts';
import type { Finish } from './config-command.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

const examples = `
Examples:
  holdfast serve                                  run with safe defaults on this machine
  holdfast serve --config holdfast.yaml           run with a configuration
  holdfast config generate --output config.yaml   make a file to begin with
  holdfast config check                           say everything that is wrong
  holdfast config explain client.ping_interval    say what an option is and where it comes from
  holdfast token create --user 42                 make a token to connect with
  holdfast proxy-config nginx                     print a configuration for nginx in front
  holdfast doctor https://rt.example.com          find out why clients cannot connect
  holdfast store backup copy.db                   copy the store while it is in use
  holdfast tasks doctor                           find tasks that look stuck
`;

/** Says what a command takes and does. */
type Define = (command: Command, terminal: Terminal, finish: Finish) => void;

/** Each loads what it needs only when it is asked for, so that all others answer at once. */
const commands: readonly {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Define>;
}[] = [
  {
    name: 'serve',
    summary: 'run the server',
    load: async () => (await import('./serve-command.ts')).defineServeCommand,
  },
  {
    name: 'config',
    summary: 'check, print, explain or make a configuration',
    load: async () => (await import('./config-command.ts')).defineConfigCommand,
  },
  {
    name: 'token',
    summary: 'make or check a token',
    load: async () => (await import('./token-command.ts')).defineTokenCommand,
  },
  {
    name: 'proxy-config',
    summary: 'print a configuration for a proxy in front of the server',
    load: async () => (await import('./proxy-config-command.ts')).defineProxyConfigCommand,
  },
  {
    name: 'doctor',
    summary: 'find out why clients cannot connect, or do not stay',
    load: async () => (await import('./doctor-command.ts')).defineDoctorCommand,
  },
  {
    name: 'store',
    summary: 'back up, check or move the store',
    load: async () => (await import('./store-command.ts')).defineStoreCommand,
  },
  {
    name: 'tasks',
    summary: 'find and end tasks that look stuck',
    load: async () => (await import('./tasks-command.ts')).defineTasksCommand,
  },
];

/**
 * Runs the command line.
 * @param args - without the names of the runtime and the program
 * @returns the exit code, once the command has ended
 */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok;
  const finish = (finished: ExitCode): void => {
    code = finished;
  };
  const program = new Command('holdfast')
    .description('Self-hosted real-time backbone: live channels, history, recovery and presence.')
    .version(`holdfast ${version}`, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    })
    .showHelpAfterError('Run the command with --help to see what it takes.')
    .addHelpText('after', examples);
  const asked = args.find((arg) => !arg.startsWith('-') && arg !== 'help');
  for (const { name, summary, load } of commands) {
    const command = program.command(name).summary(summary);
    if (name === asked) (await load())(command, terminal, finish);
  }
  program
    .command('version')
    .description('print the versions of this program and of Node.js')
    .action(() => terminal.out(`holdfast ${version} (Node.js ${process.version})`));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version are asked for in several ways; commander tells by its exit code.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
}
