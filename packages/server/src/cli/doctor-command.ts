import { InvalidArgumentError, type Command } from 'commander';
import { doctorTarget } from '../doctor/doctor-target.ts';
import { examine, type ExamineOptions } from '../doctor/examine.ts';
import type { CheckName, Finding } from '../doctor/finding.ts';
import type { Finish } from './config-command.ts';
import { exitCodes, type Colors, type ExitCode, type Terminal } from './terminal.ts';

interface DoctorOptions extends Omit<ExamineOptions, 'idleSeconds' | 'timeoutMs'> {
  readonly idle: number;
  readonly timeout: number;
  readonly json?: boolean;
}

/** What `holdfast doctor` takes and does. */
export function defineDoctorCommand(doctor: Command, terminal: Terminal, finish: Finish): void {
  doctor
    .description(
      'Examines a server through everything that stands before it, as clients reach it: from the name to recovery after a cut. Says for each check what was seen, why, and what to do. Exits with 1 when one failed.',
    )
    .argument('<url>', 'such as https://rt.example.com, or the full address of the WebSocket')
    .option('--token <token>', 'connection token; visible to other users of this machine')
    .option('--token-env <name>', 'environment variable that holds the token')
    .option('--channel <channel>', 'channel to test recovery with')
    .option('--origin <origin>', 'origin of a web page that must be allowed')
    .option('--idle <seconds>', 'silence that a connection must survive', atMost(3_600), 30)
    .option('--connections <number>', 'connections to open at once', atMost(500), 20)
    .option('--timeout <seconds>', 'longest wait for each answer', atMost(120), 5)
    .option('--json', 'print one JSON document instead')
    .action(async (url: string) => {
      finish(await runDoctor(url, terminal, doctor.opts()));
    });
}

async function runDoctor(
  url: string,
  terminal: Terminal,
  {
    idle,
    timeout,
    json = false,
    tokenEnv,
    ...given
  }: DoctorOptions & { readonly tokenEnv?: string },
): Promise<ExitCode> {
  const target = doctorTarget(url);
  if (target === undefined) {
    terminal.err(`${url} is no address. Give one such as https://rt.example.com.`);
    return exitCodes.usage;
  }
  const token =
    given.token ?? (tokenEnv === undefined ? undefined : terminal.environment[tokenEnv]);
  if (tokenEnv !== undefined && token === undefined) {
    terminal.err(`The environment variable ${tokenEnv} is not set.`);
    return exitCodes.usage;
  }
  if (!json) terminal.out(`Examining ${target.websocket} (at least ${idle} s of it idle)`);
  const options = {
    ...given,
    ...(token !== undefined && { token }),
    idleSeconds: idle,
    timeoutMs: timeout * 1000,
  };
  const findings = await examine(target, options, (name, finding) => {
    if (!json) terminal.out(describe(name, finding, terminal.outColors));
    else if (terminal.isInteractive) terminal.err(`${name}: ${finding.status}`);
  });
  const all = [...findings.values()];
  const failed = all.filter(({ status }) => status === 'fail').length;
  const warned = all.filter(({ status }) => status === 'warn').length;
  const skipped = all.filter(({ status }) => status === 'skip').length;
  if (json) {
    const checks = [...findings].map(([name, finding]) => Object.assign({ name }, finding));
    terminal.out(JSON.stringify({ url: target.websocket, ok: failed === 0, checks }, undefined, 2));
  } else {
    terminal.out(
      `${all.length} checks: ${failed} failed, ${warned} with a warning, ${skipped} left out.`,
    );
  }
  return failed === 0 ? exitCodes.ok : exitCodes.failed;
}

const colorOf = { pass: 'green', warn: 'yellow', fail: 'red', skip: 'dim' } as const;

function describe(
  name: CheckName,
  { status, evidence, cause, mend }: Finding,
  colors: Colors,
): string {
  const lines = [`${colors[colorOf[status]](status)}  ${name.padEnd(12)}  ${evidence}`];
  if (cause !== undefined) lines.push(`      ${cause}`);
  if (mend !== undefined) lines.push(`      → ${mend.replaceAll('\n', '\n          ')}`);
  return lines.join('\n');
}

function atMost(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
  };
}
