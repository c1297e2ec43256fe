import { pemText, type ReadTextFile } from '../pem.ts';
import type { Report } from '../report.ts';
import type { Config } from '../schema.ts';
import { pemOptions } from '../tls-options.ts';

/** TLS sections that are on but lack a certificate, or whose certificates cannot be read. */
export function checkTls(
  { http_server: server }: Config,
  report: Report,
  readFile: ReadTextFile,
): void {
  for (const section of ['tls', 'internal_tls'] as const) {
    if (server[section].enabled) checkSection(section, { server, report, readFile });
  }
}

function checkSection(
  section: 'tls' | 'internal_tls',
  {
    server,
    report,
    readFile,
  }: {
    readonly server: Config['http_server'];
    readonly report: Report;
    readonly readFile: ReadTextFile;
  },
): void {
  for (const option of pemOptions) {
    const configured = server[section][option];
    const value = typeof configured === 'string' ? configured : configured.reveal();
    const path = ['http_server', section, option];
    if (value === '') {
      if (option === 'client_ca_pem') continue;
      report.problem(path, {
        problem: 'is missing',
        reason: 'TLS is on and needs a certificate with its key',
        remedy: 'Set it to PEM text or to the path of a PEM file.',
      });
    } else if (pemText(value, readFile) === undefined) {
      report.problem(path, {
        problem: 'is neither PEM text, nor that in base64, nor a file that holds PEM text',
        reason: 'TLS is on and needs it',
        remedy: 'Correct it; a path begins at the working directory.',
      });
    }
  }
}
