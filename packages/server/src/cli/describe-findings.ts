import pc from 'picocolors';
import { describeOrigin } from '../config/origin.ts';
import type { ConfigProblem, ConfigWarning } from '../config/problem.ts';

/** A problem for a person at a terminal: what, why, what to do. */
export function describeProblem({ key, problem, reason, remedy, origin }: ConfigProblem): string {
  const from = origin === undefined || ('file' in origin && origin.file === key);
  return [
    `${pc.red('error')} ${pc.bold(key)} ${problem}`,
    `  because ${reason}${reason.endsWith('.') ? '' : '.'}`,
    `  ${remedy}`,
    ...(from ? [] : [pc.dim(`  Set by: ${describeOrigin(origin)}`)]),
  ].join('\n');
}

/** A warning for a person at a terminal. */
export function describeWarning({ key, message, origin }: ConfigWarning): string {
  const from = origin === undefined ? '' : pc.dim(` (${describeOrigin(origin)})`);
  return `${pc.yellow('warning')} ${pc.bold(key)}${from}: ${message}`;
}
