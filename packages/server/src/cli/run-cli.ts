import { Command, CommanderError } from 'commander';
import { version } from '../version.ts';
import { addConfigCommand } from './config-command.ts';
import { addDoctorCommand } from './doctor-command.ts';
import { addProxyConfigCommand } from './proxy-config-command.ts';
import { addServeCommand } from './serve-command.ts';
import { addStoreCommand } from './store-command.ts';
import { addTasksCommand } from './tasks-command.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';
import { addTokenCommand } from './token-command.ts';

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
  addServeCommand(program, terminal, finish);
  addConfigCommand(program, terminal, finish);
  addTokenCommand(program, terminal, finish);
  addProxyConfigCommand(program, terminal, finish);
  addDoctorCommand(program, terminal, finish);
  addStoreCommand(program, terminal, finish);
  addTasksCommand(program, terminal, finish);
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
