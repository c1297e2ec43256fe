import {
  areSecretsExposed,
  DataFolderError,
  ensureSecrets,
  readSecrets,
} from '../config/secrets-file.ts';
import { loadConfig, type LoadedConfig, type RefusedConfig } from '../config/load-config.ts';
import type { ConfigProblem, ConfigWarning } from '../config/problem.ts';
import type { GivenConfig } from './config-options.ts';
import { readTextFile, UnreadableFileError } from './read-text-file.ts';
import type { Terminal } from './terminal.ts';

/** Loads the configuration as it applies to this terminal. */
export function loadFromTerminal(
  terminal: Pick<Terminal, 'cwd' | 'environment'>,
  given: GivenConfig,
  { makeSecrets }: { readonly makeSecrets: boolean },
): LoadedConfig | RefusedConfig {
  const found: ConfigWarning[] = [];
  try {
    const loaded = loadConfig({
      cwd: terminal.cwd,
      environment: terminal.environment,
      ...given,
      readFile: readTextFile,
      readSecrets(dataDir) {
        const secrets = makeSecrets ? ensureSecrets(dataDir) : readSecrets(dataDir);
        if (secrets !== undefined && areSecretsExposed(secrets.file)) {
          found.push({
            key: secrets.file,
            message: `Others than its owner can read this file of secrets. Run: chmod 600 ${secrets.file}`,
          });
        }
        return secrets;
      },
    });
    return { ...loaded, warnings: [...loaded.warnings, ...found] };
  } catch (error) {
    return { errors: [unreadable(error)], warnings: found };
  }
}

function unreadable(error: unknown): ConfigProblem {
  if (error instanceof DataFolderError) {
    return {
      key: 'data_dir',
      problem: 'cannot be used',
      reason: error.message,
      remedy: error.remedy,
    };
  }
  if (error instanceof UnreadableFileError) {
    return {
      key: error.file,
      problem: 'cannot be read',
      ...(error.code === 'EISDIR'
        ? { reason: 'it is a folder', remedy: 'Name the file in it.' }
        : {
            reason: `the system says ${error.code}`,
            remedy: 'Let the user that runs this command read it.',
          }),
    };
  }
  throw error;
}
