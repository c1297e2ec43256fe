import { describeOrigin } from '../config/origin.ts';
import type { ConfigProblem, ConfigWarning } from '../config/problem.ts';
import type { Colors } from './terminal.ts';

/** A problem for a person at a terminal: what, why, what to do. */
export function describeProblem(
  { key, problem, reason, remedy, origin }: ConfigProblem,
  colors: Colors,
): string {
  const from = origin === undefined || ('file' in origin && origin.file === key);
  return [
    `${colors.red('error')} ${colors.bold(key)} ${problem}`,
    `  because ${reason}${reason.endsWith('.') ? '' : '.'}`,
    `  ${remedy}`,
    ...(from ? [] : [colors.dim(`  Set by: ${describeOrigin(origin)}`)]),
  ].join('\n');
}

/** A warning for a person at a terminal. */
export function describeWarning({ key, message, origin }: ConfigWarning, colors: Colors): string {
  const from = origin === undefined ? '' : colors.dim(` (${describeOrigin(origin)})`);
  return `${colors.yellow('warning')} ${colors.bold(key)}${from}: ${message}`;
}
