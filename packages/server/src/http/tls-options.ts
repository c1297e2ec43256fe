import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/index.ts';
import { StartError } from '../start-error.ts';
import type { HttpServerOptions } from './http-server.ts';

type TlsConfig = Config['http_server']['tls'];

/**
 * What node:tls needs, from a section of the configuration.
 *
 * @param key - name of the section, for errors.
 * @returns undefined when TLS is off.
 * @throws StartError `bad_certificate` when it cannot work.
 */
export function tlsOptions(config: TlsConfig, key: string): HttpServerOptions['tls'] {
  if (!config.enabled) return undefined;
  const cert = readPem(config.cert_pem, `${key}.cert_pem`);
  const privateKey = readPem(config.key_pem.reveal(), `${key}.key_pem`);
  try {
    createSecureContext({ cert, key: privateKey });
  } catch (error) {
    throw new StartError(
      'bad_certificate',
      `${key}: certificate and key cannot be used together (${(error as Error).message}). Check that both are PEM and belong to each other.`,
      { cause: error },
    );
  }
  if (config.client_ca_pem === '') return { cert, key: privateKey };
  const ca = readPem(config.client_ca_pem, `${key}.client_ca_pem`);
  return { cert, key: privateKey, ca, requestCert: true };
}

/** PEM text as it is, in base64, or in the file that is named. */
function readPem(value: string, key: string): string {
  if (value.includes('-----BEGIN')) return value;
  const decoded = Buffer.from(value, 'base64').toString('latin1');
  if (decoded.includes('-----BEGIN')) return decoded;
  try {
    return readFileSync(value, 'utf8');
  } catch (error) {
    // The value may be a mistyped key: it is not repeated.
    throw new StartError(
      'bad_certificate',
      `${key} is neither PEM text, nor the same in base64, nor the path of a file that can be read.`,
      { cause: error },
    );
  }
}
