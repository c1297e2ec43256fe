#!/usr/bin/env node
import { processTerminal } from './cli/terminal.ts';
import { runCli } from './cli/run-cli.ts';

// A reader that has seen enough (`holdfast config print | head`) is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

process.exitCode = await runCli(process.argv.slice(2), processTerminal());
