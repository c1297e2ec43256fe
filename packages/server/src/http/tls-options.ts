import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { serverTlsOptions, type Config } from '../config/index.ts';
import { StartError } from '../start-error.ts';
import type { HttpServerOptions } from './http-server.ts';

/**
 * What node:https needs, from a section of the configuration; undefined when TLS is off.
 *
 * @param key - name of the section, for errors.
 * @throws StartError `bad_certificate` when certificate and key cannot work together.
 */
export function tlsOptions(
  config: Config['http_server']['tls'],
  key: string,
): HttpServerOptions['tls'] {
  const options = serverTlsOptions(config, readTextFile);
  if (!options) return undefined;
  try {
    createSecureContext(options);
  } catch (error) {
    throw new StartError(
      'bad_certificate',
      `${key}: certificate and key cannot be used together (${(error as Error).message}). Check that both are PEM and belong to each other.`,
      { cause: error },
    );
  }
  return options;
}

function readTextFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
