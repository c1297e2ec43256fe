import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openStore } from '@holdfast/store';
import { startPostgres, testBackends } from '@holdfast/store/testing';
import { Client } from 'pg';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startChild } from '../child.ts';
import { journalModule, type JournalTables } from './journal.ts';
import { Load } from './load.ts';
import { onSmallDisk } from './small-disk.ts';
import { expectWhole, patience, publishRest, Witness } from './witness.ts';

const modules = [journalModule];
const scriptOf = (name: string): string => path.join(import.meta.dirname, name);

describe.each(testBackends)('$name', (backend) => {
  test('killed at random moments of thousands of commits: all or nothing, and nothing acknowledged is lost', async () => {
    await using database = await backend.create();
    const witness = new Witness();
    for (let round = 0; witness.acknowledged.size < 2000; round += 1) {
      const child = startChild(scriptOf('writer.ts'), [database.url, `r${round}`, '8']);
      await child.waitFor(/^ready$/);
      const enough = 1 + Math.floor(Math.random() * 800);
      await vi.waitFor(() => expect(child.lines.length).toBeGreaterThan(enough), {
        timeout: 60_000,
        interval: 1,
      });
      await child.kill();
      witness.read(child);
    }
    await using store = await openStore<JournalTables>({ url: database.url, modules });
    await publishRest(store, witness);
    await expectWhole(store, witness);
    expect(await store.integrityCheck()).toEqual([]);
  }, 240_000);

  test('killed in the middle of a migration: the next start does it from its beginning', async () => {
    await using database = await backend.create();
    const child = startChild(scriptOf('stuck-migration.ts'), [database.url]);
    await child.waitFor(/half-way/);
    await child.kill();
    await using store = await openStore({
      url: database.url,
      modules: [
        {
          ...journalModule,
          migrations: [
            ...journalModule.migrations,
            {
              name: 'second',
              async up({ createTable, types }) {
                await createTable('half_made').addColumn('id', types.text).execute();
                await createTable('other_half').addColumn('id', types.text).execute();
              },
            },
          ],
        },
      ],
    });
    const tables = await store.read((db) => db.introspection.getTables());
    expect(tables.map((table) => table.name)).toEqual(
      expect.arrayContaining(['half_made', 'other_half']),
    );
  });
});

describe('SQLite', () => {
  const sqlite = testBackends[0]!;

  test('locked by another program: waits without stopping the process, then says so', async () => {
    await using database = await sqlite.create();
    await using store = await openStore<JournalTables>({
      url: database.url,
      modules,
      sqlite: { lockTimeoutMs: 300 },
    });
    const insert = (id: string): Promise<unknown> =>
      store.transaction((trx) =>
        trx.insertInto('entries').values({ id, half: 1, writer: 'w', number: 1 }).execute(),
      );
    await insert('before');
    const holder = startChild(scriptOf('lock-holder.ts'), [database.url.slice('sqlite:'.length)]);
    await holder.waitFor(/locked/);
    let ticks = 0;
    const ticking = setInterval(() => (ticks += 1), 5);
    await expect(insert('refused')).rejects.toMatchObject({
      code: 'store_locked',
      retryable: true,
    });
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(3);
    expect(store.problem()?.message).toContain('locked by another process');
    const patient = insert('patient');
    holder.process.stdin?.end();
    await patient;
    expect(store.problem()).toBeUndefined();
    const rows = await store.read((db) => db.selectFrom('entries').select('id').execute());
    expect(rows.map((row) => row.id).toSorted()).toEqual(['before', 'patient']);
  });

  test('on a disk that is really full: changes fail, reads work, and it goes on when somebody makes room', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-full-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const node = [process.execPath, '--conditions=@holdfast/source', scriptOf('full-disk.ts')];
    const [program, ...rest] = [...onSmallDisk(folder, 8), ...node, folder];
    const { stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8', timeout: 60_000 });
    expect(stderr).toBe('');
    const { whenFull, withRoom, damage } = JSON.parse(stdout) as Record<string, unknown>;
    expect(whenFull).toEqual({
      refused: 'store_disk_full',
      acknowledged: expect.toSatisfy((count: number) => count > 20),
      lost: 0,
      again: 'store_disk_full',
      problem: expect.stringMatching(/store_disk_full: free disk space/),
    });
    expect(withRoom).toEqual({ lost: 0 });
    expect(damage).toEqual([]);
  });

  test('full: changes fail and leave nothing, reads work, and it goes on when there is room', async () => {
    await using database = await sqlite.create();
    const witness = new Witness();
    {
      await using store = await openStore<JournalTables>({
        url: database.url,
        modules,
        sqlite: { maxPages: 200 },
      });
      const big = 'x'.repeat(2000);
      const write = async (index: number): Promise<void> => {
        const id = `${String(index).padStart(5, '0')}${big}`;
        await store.transaction(async (trx) => {
          await trx.insertInto('entries').values({ id, half: 1, writer: 'w', number: 1 }).execute();
          store.outbox.append(trx, { channel: `c${index}`, data: { id, number: 1 } });
          await trx.insertInto('entries').values({ id, half: 2, writer: 'w', number: 1 }).execute();
        });
        witness.acknowledged.add(id);
      };
      const results = await Promise.allSettled(Array.from({ length: 400 }, (_, i) => write(i)));
      const refused = results.filter((result) => result.status === 'rejected');
      expect(refused.length).toBeGreaterThan(0);
      for (const { reason } of refused) expect(reason).toMatchObject({ code: 'store_disk_full' });
      expect(witness.acknowledged.size).toBe(400 - refused.length);
      // A last change may just have fitted in, which ends the problem: go on to one that does not.
      let refusal: unknown;
      for (let index = 400; refusal === undefined; index += 1) {
        refusal = await write(index).then(
          () => undefined,
          (error: unknown) => error,
        );
      }
      expect(refusal).toMatchObject({ code: 'store_disk_full' });
      expect(store.problem()?.message).toContain('no room left');
      const count = await store.read((db) => db.selectFrom('entries').select('half').execute());
      expect(count).toHaveLength(2 * witness.acknowledged.size);
    }
    await using store = await openStore<JournalTables>({ url: database.url, modules });
    await publishRest(store, witness);
    await expectWhole(store, witness);
    expect(await store.integrityCheck()).toEqual([]);
  });
});

describe('PostgreSQL', () => {
  test('restarted and crashed under load: nothing acknowledged is lost, connections come back', async () => {
    await using server = await startPostgres();
    const url = await server.createDatabase('restarts');
    await using store = await openStore<JournalTables>({ url, modules });
    const witness = new Witness();
    await using load = new Load(store, witness);
    await load.goesOn();
    await server.restart();
    await load.goesOn();
    await server.crash();
    await server.start();
    await load.goesOn();
    await server.restart();
    await load.goesOn();
    await load.stop();
    await publishRest(store, witness);
    await expectWhole(store, witness);
    expect(store.metrics.connections).toBeLessThanOrEqual(6);
    expect(store.metrics.connectionsLost).toBeGreaterThan(0);
    expect(store.problem()).toBeUndefined();
  });

  test('the process that publishes is killed: another one takes over, nothing is missing', async () => {
    await using database = await testBackends[1]!.create();
    const witness = new Witness();
    const leader = startChild(scriptOf('writer.ts'), [database.url, 'first', '2']);
    await leader.waitFor(/^p /);
    await using store = await openStore<JournalTables>({ url: database.url, modules });
    expect(store.isLeader()).toBe(false);
    await leader.kill();
    witness.read(leader);
    await publishRest(store, witness);
    // The one that was killed may have left nothing to publish.
    await vi.waitFor(() => expect(store.isLeader()).toBe(true), patience);
    await expectWhole(store, witness);
  });

  test('away at the start: says so without the password', async () => {
    const url = 'postgres://me:geheim@127.0.0.1:1/none';
    const opening = openStore({ url });
    await expect(opening).rejects.toMatchObject({
      code: 'store_unreachable',
      message: expect.stringMatching(
        /^(?!.*geheim).*PostgreSQL 127\.0\.0\.1:1\/none cannot be reached/,
      ),
    });
  });

  test('a role that has little: says what it lacks, and works in a schema that was made for it', async () => {
    await using server = await startPostgres();
    const url = new URL(await server.createDatabase('prepared'));
    await server.execute(`create role app login password 'geheim'`);
    const [found] = await server.execute('show data_directory');
    const rules = path.join(String(found?.['data_directory']), 'pg_hba.conf');
    const lines = ['host all app all scram-sha-256', 'host all all all trust'];
    writeFileSync(rules, lines.join('\n'));
    await server.execute('select pg_reload_conf()');
    url.username = 'app';
    const why = async (password: string): Promise<string> => {
      url.password = password;
      const error = await openStore({ url: url.href }).then(
        (store) => store.close(),
        (reason: unknown) => reason,
      );
      return String(error);
    };
    await vi.waitFor(
      async () => expect(await why('')).toMatch(/asks for a password.*store_misconfigured/s),
      patience,
    );
    expect(await why('wrong')).toMatch(/authentication failed for user "app" \(store_misconf/);
    expect(await why('geheim')).toMatch(
      /^(?!.*geheim).* run: create schema "holdfast" authorization app \(store_misconfigured/,
    );
    const owner = new Client({ connectionString: server.url('prepared') });
    await owner.connect();
    await owner.query('create schema "holdfast" authorization app');
    await owner.end();
    expect(await why('geheim')).toBe('undefined');
  });

  test('stopped in the middle of everything: deadlines end every wait', async () => {
    await using server = await startPostgres();
    const url = await server.createDatabase('frozen');
    await using store = await openStore<JournalTables>({
      url,
      modules,
      transactionTimeoutMs: 500,
      maxWaitMs: 500,
      postgres: { statementTimeoutMs: 400, connectTimeoutMs: 400 },
    });
    await server.crash();
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, () =>
        store.transaction((trx) => trx.selectFrom('entries').selectAll().execute()),
      ),
    );
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { retryable: true } });
    }
    await server.start();
    await vi.waitFor(() => store.ping(), patience);
  });
});
