/**
 * `npm test`: formatting, lint, types and every test in one go. Ends with one plain line that counts
 * everything that ran; each static check counts as one test.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { installMissingPrograms } from './debian.ts';

const totals = { passed: 0, failed: 0, skipped: 0 };

function run(command: string, args: readonly string[]): boolean {
  console.log(`\n$ ${command} ${args.join(' ')}`);
  return spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

function check(command: string, ...args: readonly string[]): void {
  if (run(command, args)) totals.passed += 1;
  else totals.failed += 1;
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
}

function runVitest(filters: readonly string[]): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-test-'));
  const outputFile = path.join(folder, 'report.json');
  const reporter = ['--reporter=dot', '--reporter=json', `--outputFile.json=${outputFile}`];
  const succeeded = run('vitest', ['run', ...reporter, ...filters]);
  try {
    const report = JSON.parse(readFileSync(outputFile, 'utf8')) as VitestReport;
    totals.passed += report.numPassedTests;
    totals.failed += report.numFailedTests;
    totals.skipped += report.numPendingTests + report.numTodoTests;
    // A test file that cannot be loaded, or an unhandled error, fails the run without a failed test.
    if (!succeeded && report.numFailedTests === 0) totals.failed += 1;
  } catch {
    totals.failed += 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const problems = installMissingPrograms();
for (const problem of problems) console.error(problem);
totals.failed += problems.length;

check('oxfmt', '--check');
check('oxlint', '--type-aware', '--deny-warnings');
check('tsc', '-p', 'tsconfig.json');
check('npm', 'run', '--silent', 'build');
check('tsc', '-p', 'packages/server/assets');
runVitest(process.argv.slice(2));

console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;
