import type { TlsOptions } from 'node:tls';
import { pemText, type ReadTextFile } from './pem.ts';
import type { Config } from './schema.ts';

type ServerTls = Config['http_server']['tls'];

/** Options of a TLS section that hold PEM, by name. */
export const pemOptions = ['cert_pem', 'key_pem', 'client_ca_pem'] as const;

function pem(value: string, readFile: ReadTextFile): string | undefined {
  return value === '' ? undefined : pemText(value, readFile);
}

/** Options for `node:https` servers; `undefined` when TLS is off. */
export function serverTlsOptions(tls: ServerTls, readFile: ReadTextFile): TlsOptions | undefined {
  if (!tls.enabled) return undefined;
  const cert = pem(tls.cert_pem, readFile);
  const key = pem(tls.key_pem.reveal(), readFile);
  const ca = pem(tls.client_ca_pem, readFile);
  return {
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: true }),
  };
}
