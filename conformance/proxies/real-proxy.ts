import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { endOwned, startOwned } from '@holdfast/store/testing/owned-process';
import { vi } from 'vitest';

/** A proxy that runs as a process of its own; ends with its `using` block. */
export interface RealProxy extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** Where its configuration is, as `config`. */
  readonly folder: string;
  /** Sends the process a signal. */
  signal(name: NodeJS.Signals): void;
}

/** Runs nginx with this in its `http` block, and `main` outside of it. */
export function startNginx(port: number, http: string, main = ''): Promise<RealProxy> {
  return start(port, 'nginx', (folder) => ({
    text: `${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
${main}
daemon off;
pid ${folder}/pid;
error_log ${folder}/log;
events { worker_connections 512; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
${http}
}`,
    args: ['-e', `${folder}/log`, '-p', folder, '-c', `${folder}/config`],
  }));
}

/** Runs HAProxy with this whole configuration. */
export function startHaproxy(
  port: number,
  text: string,
  mode: readonly string[] = ['-db'],
): Promise<RealProxy> {
  return start(port, 'haproxy', (folder) => ({ text, args: [...mode, '-f', `${folder}/config`] }));
}

/** Runs Caddy with this Caddyfile, and without the port for its administration unless one is given. */
export function startCaddy(
  port: number,
  caddyfile: string,
  adminPort?: number,
): Promise<RealProxy> {
  const admin = adminPort === undefined ? 'off' : `127.0.0.1:${adminPort}`;
  return start(port, 'caddy', (folder) => ({
    text: `{\n  admin ${admin}\n  auto_https off\n}\n${caddyfile}`,
    args: ['run', '--adapter', 'caddyfile', '--config', `${folder}/config`],
  }));
}

/** Runs Apache with this beside the modules that it needs. */
export function startApache(port: number, config: string): Promise<RealProxy> {
  const modules = ['mpm_event', 'authz_core', 'headers', 'env', 'proxy', 'proxy_http', 'ssl'];
  return start(port, 'apache2', (folder) => ({
    text: `ServerRoot ${folder}
ServerName 127.0.0.1
PidFile ${folder}/pid
ErrorLog ${folder}/log
DefaultRuntimeDir ${folder}
${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
Listen 127.0.0.1:${port}
${config}`,
    args: ['-d', folder, '-f', `${folder}/config`, '-DFOREGROUND'],
  }));
}

interface Plan {
  readonly text: string;
  readonly args: readonly string[];
}

async function start(
  port: number,
  program: string,
  plan: (folder: string) => Plan,
): Promise<RealProxy> {
  const folder = mkdtempSync(path.join(tmpdir(), `holdfast-${program}-`));
  const { text, args } = plan(folder);
  writeFileSync(path.join(folder, 'config'), text);
  const child = startOwned(program, args, {
    cwd: folder,
    env: {
      PATH: `${process.env.PATH}:/usr/sbin`,
      HOME: folder,
      XDG_DATA_HOME: folder,
      XDG_CONFIG_HOME: folder,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const proxy: RealProxy = {
    url: `http://127.0.0.1:${port}`,
    folder,
    signal: (name) => void child.kill(name),
    async [Symbol.asyncDispose]() {
      // At once: proxies that end in order wait for the connections that tests have left open.
      await endOwned(child);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await vi.waitFor(
      async () => {
        if (child.exitCode !== null) return;
        const socket = connect(port, '127.0.0.1');
        try {
          await once(socket, 'connect');
        } finally {
          socket.destroy();
        }
      },
      { timeout: 60_000, interval: 50 },
    );
    if (child.exitCode !== null) throw new Error(`${program} ended`);
  } catch (error) {
    await proxy[Symbol.asyncDispose]();
    throw new Error(`${program} does not serve:\n${output}\n${logOf(folder)}`, { cause: error });
  }
  return proxy;
}

function logOf(folder: string): string {
  try {
    return readFileSync(path.join(folder, 'log'), 'utf8');
  } catch {
    return '';
  }
}
