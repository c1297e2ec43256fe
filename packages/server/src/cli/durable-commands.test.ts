import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openStore } from '@holdfast/store';
import { createTasks, type TaskTables } from '@holdfast/tasks';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { storeModules } from '../durable/store-modules.ts';
import { startTestServer, testApiKey } from '../testing/started-server.ts';
import { runCommandLine } from '../testing/command-line.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';

const storeFile = (cwd: string): string => path.join(cwd, 'data', 'holdfast.db');

/** A store with one task whose worker fell silent long ago, while no server was there to see it. */
async function makeStuckTask(cwd: string): Promise<string> {
  await using store = await openStore<TaskTables>({
    url: `sqlite:${storeFile(cwd)}`,
    modules: storeModules,
  });
  const tasks = await createTasks({ store, kinds: { report: { attempts: 1 } } });
  const { id } = await tasks.request({ kind: 'report', owner: '42' });
  await tasks.claim({ kinds: ['report'], worker: 'w', limit: 1 });
  await store.transaction((trx) =>
    trx.updateTable('tasks').set({ expires_at: 1 }).where('id', '=', id).execute(),
  );
  return id;
}

describe('holdfast store', () => {
  test('backs up, and checks what it backed up', async () => {
    const cwd = temporaryFolder();
    await makeStuckTask(cwd);
    const copy = path.join(cwd, 'copy.db');
    const backup = await runCommandLine(cwd, ['store', 'backup', copy]);
    expect(backup).toMatchObject({ code: 0, out: expect.stringContaining('is backed up to') });
    expect(existsSync(copy)).toBe(true);
    expect(await runCommandLine(cwd, ['store', 'backup', copy])).toMatchObject({
      code: 1,
      err: expect.stringContaining('store_target_not_empty'),
    });
    const check = await runCommandLine(cwd, [
      'store',
      'check',
      '--set',
      `store.url=sqlite:${copy}`,
    ]);
    expect(check).toMatchObject({ code: 0, out: expect.stringContaining('no problems found') });
  });

  test('says that there is no store yet', async () => {
    expect(await runCommandLine(temporaryFolder(), ['store', 'check'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('there is no database'),
    });
  });

  test('moves to what standard input names, and never repeats its password', async () => {
    const cwd = temporaryFolder();
    await makeStuckTask(cwd);
    const moved = await runCommandLine(cwd, ['store', 'move'], {
      input: 'postgres://holdfast:geheim@127.0.0.1:1/none\n',
    });
    expect(moved).toMatchObject({ code: 1, err: expect.stringContaining('127.0.0.1:1') });
    expect(moved.err).not.toContain('geheim');
  });
});

describe('holdfast tasks doctor', () => {
  test('finds nothing healthy where there is no store, and makes none', async () => {
    const cwd = temporaryFolder();
    const { code, out, err } = await runCommandLine(cwd, ['tasks', 'doctor']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`there is no store at ${storeFile(cwd)}`);
    expect(existsSync(path.dirname(storeFile(cwd)))).toBe(false);
  });

  test('finds a stuck task, changes nothing, then heals it', async () => {
    const cwd = temporaryFolder();
    const id = await makeStuckTask(cwd);
    const dry = await runCommandLine(cwd, ['tasks', 'doctor']);
    expect(dry).toMatchObject({ code: 1, out: expect.stringContaining('Nothing was changed') });
    expect(dry.out).toContain(id);
    expect(await runCommandLine(cwd, ['tasks', 'doctor', '--json'])).toMatchObject({
      code: 1,
      out: expect.stringContaining('"isHealed": false'),
    });
    const healed = await runCommandLine(cwd, ['tasks', 'doctor', '--heal']);
    expect(healed).toMatchObject({ code: 0, out: expect.stringContaining('1 found, 1 healed') });
    expect(await runCommandLine(cwd, ['tasks', 'doctor'])).toMatchObject({
      code: 0,
      out: 'Nothing looks stuck.',
    });
  });

  test('asks the server that has the store to itself', async () => {
    const cwd = temporaryFolder();
    await using server = await startTestServer({
      data_dir: path.join(cwd, 'data'),
      store: {},
      tasks: { kinds: [{ name: 'report' }] },
    });
    const { hostname: address, port } = new URL(server.url);
    const config = { http_server: { address, port: Number(port) }, http_api: { key: testApiKey } };
    writeFileSync(path.join(cwd, 'config.json'), JSON.stringify(config));
    expect(await runCommandLine(cwd, ['tasks', 'doctor'])).toMatchObject({
      code: 0,
      out: 'Nothing looks stuck.',
    });
    const stranger = ['tasks', 'doctor', '--server', server.url, '--set', 'http_api.key=other'];
    expect(await runCommandLine(cwd, stranger)).toMatchObject({
      code: 1,
      err: expect.stringContaining('API key'),
    });
  });

  test('watches and heals a table of another product', async () => {
    const cwd = temporaryFolder();
    const file = path.join(cwd, 'product.db');
    const product = new Database(file);
    onTestFinished(() => void product.close());
    product.exec(
      'create table syncs (id integer primary key, status text, updated_at text, note text)',
    );
    product.exec("insert into syncs values (1, 'syncing', datetime('now', '-2 hours'), null)");
    product.exec("insert into syncs values (2, 'syncing', datetime('now'), null)");
    writeFileSync(
      path.join(cwd, 'syncs.yaml'),
      'table: syncs\nstatus_column: status\nlive_statuses: [syncing]\ntimestamp_columns: [updated_at]\nstale_after: 1h\nhealed_status: failed\nerror_column: note\n',
    );
    const command = ['tasks', 'doctor', '--foreign', 'syncs.yaml'];
    expect(await runCommandLine(cwd, command)).toMatchObject({
      code: 1,
      err: expect.stringContaining('HOLDFAST_FOREIGN_DATABASE'),
    });
    const environment = { HOLDFAST_FOREIGN_DATABASE: `sqlite:${file}` };
    const dry = await runCommandLine(cwd, command, { environment });
    expect(dry).toMatchObject({ code: 1, out: expect.stringContaining('syncs/1') });
    expect(existsSync(storeFile(cwd))).toBe(false);
    expect(await runCommandLine(cwd, [...command, '--heal'], { environment })).toMatchObject({
      code: 0,
    });
    expect(product.prepare('select id, status from syncs order by id').all()).toEqual([
      { id: 1, status: 'failed' },
      { id: 2, status: 'syncing' },
    ]);
    await using store = await openStore<TaskTables>({
      url: `sqlite:${storeFile(cwd)}`,
      modules: storeModules,
    });
    const records = await store.read((db) => db.selectFrom('task_audit').selectAll().execute());
    expect(records).toMatchObject([{ subject: 'syncs/1', action: 'set status to failed' }]);
  });

  test.each([
    ['{', 'line 1'],
    ['table: syncs\n', 'status_column'],
    ['stale_after: 1h\n', 'table'],
  ])('says what is wrong with a description: %j', async (text, word) => {
    const cwd = temporaryFolder();
    writeFileSync(path.join(cwd, 'syncs.yaml'), text);
    const { code, err } = await runCommandLine(cwd, ['tasks', 'doctor', '--foreign', 'syncs.yaml']);
    expect(code).toBe(1);
    expect(err).toContain('syncs.yaml');
    expect(err).toContain(word);
  });
});
