import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A certificate for `localhost` and 127.0.0.1 that is its own authority, and its key, as PEM. */
export function createSelfSignedCertificate(): { readonly cert: string; readonly key: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-certificate-'));
  try {
    const cert = path.join(folder, 'cert.pem');
    const key = path.join(folder, 'key.pem');
    const subject = [
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
    ];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const output = ['-days', '1', '-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', ...kind, ...subject, ...output], { stdio: 'pipe' });
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
