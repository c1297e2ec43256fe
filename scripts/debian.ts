import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Real programs that the tests run against, each with the Debian package that brings it. */
const programs: readonly {
  readonly binary: string;
  readonly debianPackage: string;
  readonly why: string;
}[] = [
  { binary: 'apache2', debianPackage: 'apache2-bin', why: 'connections are tested through it' },
  { binary: 'caddy', debianPackage: 'caddy', why: 'connections are tested through it' },
  { binary: 'haproxy', debianPackage: 'haproxy', why: 'connections are tested through it' },
  { binary: 'nginx', debianPackage: 'nginx', why: 'connections are tested through it' },
  { binary: 'chromium', debianPackage: 'chromium', why: 'pages are tested in a real browser' },
  { binary: 'curl', debianPackage: 'curl', why: 'commands of the handbook are run as they stand' },
  {
    binary: 'python3',
    debianPackage: 'python3-venv',
    why: 'clients and workers in Python are run',
  },
  {
    binary: 'redis-server',
    debianPackage: 'redis-server',
    why: 'what needs Redis is tested on it',
  },
  {
    binary: 'ip',
    debianPackage: 'iproute2',
    why: 'networks that fail are tested in namespaces of their own',
  },
  { binary: 'openssl', debianPackage: 'openssl', why: 'tests of TLS make their certificates' },
];

const searchPath = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/sbin'];

function isInstalled(binary: string): boolean {
  return searchPath.some((folder) => {
    try {
      accessSync(path.join(folder, binary), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Installs what is missing where it can: on Debian, as root.
 * @returns one line for each program that is still missing, with what to do about it.
 */
export function installMissingPrograms(): readonly string[] {
  const missing = programs.filter(({ binary }) => !isInstalled(binary));
  if (missing.length === 0) return [];
  const packages = missing.map(({ debianPackage }) => debianPackage);
  if (process.getuid?.() === 0 && isInstalled('apt-get')) {
    console.log(`installing ${packages.join(', ')} …`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { env, stdio: 'ignore' });
    try {
      execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
        env,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    } catch {
      // Reported below: what counts is whether the programs are there afterwards.
    }
  }
  return missing
    .filter(({ binary }) => !isInstalled(binary))
    .map(
      ({ binary, debianPackage, why }) =>
        `${binary} is missing (${why}): run 'apt-get install ${debianPackage}' as root`,
    );
}
