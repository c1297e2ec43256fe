import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { startOwned } from '@holdfast/store/testing/owned-process';
import { expect, onTestFinished, test, vi } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');
const readme = readFileSync(path.join(root, 'README.md'), 'utf8');

/** The block of code that stands below `<!-- test: name -->`. */
function block(name: string): string {
  const [, code] = readme.split(`<!-- test: ${name} -->`)[1]?.match(/```\w+\n(.*?)```/s) ?? [];
  if (code === undefined) throw new Error(`README.md has no block ${name}`);
  return code;
}

/** A folder that is like a fresh clone after `npm install`, with a data folder of its own. */
function createClone(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-readme-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(path.join(root, 'package.json'), path.join(folder, 'package.json'));
  for (const name of ['node_modules', 'packages']) {
    symlinkSync(path.join(root, name), path.join(folder, name));
  }
  return folder;
}

/** Runs a command line until the end of the test, with everything that it starts. */
function run(command: string, cwd: string): { readonly output: () => string } {
  const child = startOwned('sh', ['-c', command], { cwd });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  return { output: () => output };
}

test('what the README says about trying it works as it stands', async () => {
  const clone = createClone();
  const server = run('npm start -- --port 0', clone);
  const port = await vi.waitFor(
    () => {
      const [, found] = /"addresses":\["http:\/\/localhost:(\d+)"/.exec(server.output()) ?? [];
      if (found === undefined) throw new Error(server.output());
      return found;
    },
    { timeout: 60_000 },
  );
  const here = (text: string) => text.replaceAll('localhost:8000', `localhost:${port}`);

  const publish = () => promisify(execFile)('sh', ['-c', here(block('publish'))], { cwd: clone });
  expect(JSON.parse((await publish()).stdout)).toMatchObject({ result: { offset: 1 } });

  const durable = await promisify(execFile)('sh', ['-c', here(block('durable'))], { cwd: clone });
  expect(durable.stdout).toContain('"created":1');
  expect(durable.stdout).toContain('"title":"Your order has left"');
  expect(durable.stdout).toContain('"status":"waiting_for_worker"');

  writeFileSync(path.join(clone, 'subscriber.mjs'), here(block('subscriber.mjs')));
  const subscriber = run(block('subscribe'), clone);
  await vi.waitFor(
    async () => {
      await publish();
      expect(subscriber.output()).toMatch(/^\d+ \{ text: 'hello' \}$/m);
    },
    { timeout: 60_000, interval: 500 },
  );
});

test('the configuration of the README has nothing to complain about', async () => {
  const clone = createClone();
  writeFileSync(path.join(clone, 'holdfast.yaml'), block('holdfast.yaml'));
  const check = 'npm run --silent holdfast -- config check holdfast.yaml';
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', check], { cwd: clone });
  expect(stdout + stderr).not.toMatch(/warning|error/i);
});

test('the hub of the README can be embedded', async () => {
  const code = block('embed').replace('listen(3000)', 'listen(0)');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--conditions=@holdfast/source',
      '--input-type=module',
      '--eval',
      `${code}\nconsole.log('published', server.listening); process.exit();`,
    ],
    { cwd: import.meta.dirname },
  );
  expect(stdout).toBe('published true\n');
});

test('every page that the handbook links to is there', () => {
  for (const page of ['README.md', 'docs/README.md', 'docs/concepts.md']) {
    const text = readFileSync(path.join(root, page), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      expect(() => readFileSync(path.join(root, path.dirname(page), target))).not.toThrow(/ENOENT/);
    }
  }
});
