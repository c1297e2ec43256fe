import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface CertificateOptions {
  /** @defaultValue `IP:127.0.0.1` */
  readonly subjectAltName?: string;
  /** May be negative, for one that has expired. @defaultValue 30 */
  readonly days?: number;
  /** Leave out what stands between it and the authority. @defaultValue false */
  readonly isBare?: boolean;
}

/** Certificate and key as PEM files. */
export interface CertificateFiles {
  /** With what stands between it and the authority. */
  readonly cert: string;
  readonly key: string;
  /** Both in one file. */
  readonly both: string;
}

/** An authority of one's own, as companies have them, with an intermediate certificate. */
export class Authority implements Disposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'holdfast-authority-'));
  #issued = 0;

  constructor() {
    this.#key('root');
    this.#openssl(['req', '-x509', '-new', '-key', 'root.key', '-out', 'root.pem', '-days', '30'], {
      subject: 'Authority of a test',
    });
    this.#sign('middle', {
      signer: 'root',
      days: 30,
      extension: 'basicConstraints=critical,CA:TRUE',
    });
  }

  /** What clients must trust, as PEM. */
  get root(): string {
    return readFileSync(this.#file('root.pem'), 'utf8');
  }

  issue({
    subjectAltName = 'IP:127.0.0.1',
    days = 30,
    isBare = false,
  }: CertificateOptions = {}): CertificateFiles {
    this.#issued += 1;
    const name = `leaf${this.#issued}`;
    const extension = `subjectAltName=${subjectAltName}`;
    this.#sign(name, { signer: 'middle', days, extension });
    const [cert, key, both] = [`${name}.pem`, `${name}.key`, `${name}.both`].map((file) =>
      this.#file(file),
    ) as [string, string, string];
    if (!isBare) this.#join(cert, [cert, this.#file('middle.pem')]);
    this.#join(both, [cert, key]);
    return { cert, key, both };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #sign(
    name: string,
    {
      signer,
      days,
      extension,
    }: { readonly signer: string; readonly days: number; readonly extension: string },
  ): void {
    this.#key(name);
    this.#openssl(['req', '-new', '-key', `${name}.key`, '-out', `${name}.csr`], { subject: name });
    writeFileSync(this.#file(`${name}.ext`), extension);
    const by = ['-CA', `${signer}.pem`, '-CAkey', `${signer}.key`, '-CAcreateserial'];
    const given = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-days', String(days)];
    this.#openssl(['x509', '-req', ...given, ...by, '-out', `${name}.pem`]);
  }

  #key(name: string): void {
    this.#openssl(['ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', `${name}.key`]);
  }

  #openssl(args: readonly string[], { subject }: { readonly subject?: string } = {}): void {
    const named = subject === undefined ? [] : ['-subj', `/CN=${subject}`];
    execFileSync('openssl', [...args, ...named], { cwd: this.#folder, stdio: 'pipe' });
  }

  #join(file: string, parts: readonly string[]): void {
    writeFileSync(file, parts.map((part) => readFileSync(part, 'utf8')).join(''));
  }

  #file(name: string): string {
    return path.join(this.#folder, name);
  }
}
