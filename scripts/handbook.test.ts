import { execFile } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');
const handbook = globSync(['README.md', 'docs/*.md', 'packages/*/README.md'], {
  cwd: root,
}).toSorted();
const pages = [
  ...handbook,
  ...globSync('{bench,deploy,examples}/**/*.md', { cwd: root }).filter(
    (page) => !page.includes('node_modules'),
  ),
];
const fence = /^```(\w*)\n(.*?)^```$/gms;

function textOf(page: string): string {
  return readFileSync(path.join(root, page), 'utf8');
}

/** The names by which headings of a page are linked to. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = textOf(page)
    .replace(fence, '')
    .matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_\- ]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Links of a page that lead to nothing in this repository. */
function deadLinksOf(page: string): readonly string[] {
  const links = textOf(page)
    .replace(fence, '')
    .matchAll(/\]\(([^)\s]+)\)/g);
  return [...links]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : path.join(path.dirname(page), file);
      if (!existsSync(path.join(root, target))) return true;
      return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor);
    });
}

describe('the handbook', () => {
  test.each(pages)('%s has no dead links', (page) => {
    expect(deadLinksOf(page)).toEqual([]);
  });

  test('its first page leads to all others', () => {
    const first = textOf('docs/README.md');
    const others = globSync('docs/*.md', { cwd: root }).map((page) => path.basename(page));
    const unknown = others.filter((page) => page !== 'README.md' && !first.includes(`](${page})`));
    expect(unknown).toEqual([]);
  });

  test('every package has a page for npm, which shows how it is installed and used', () => {
    for (const folder of globSync('packages/*', { cwd: root })) {
      const { name } = JSON.parse(textOf(`${folder}/package.json`)) as { readonly name: string };
      const page = textOf(`${folder}/README.md`);
      expect(page).toMatch(new RegExp(`^# ${name}\n`));
      expect(page).toMatch(new RegExp(`^npm install ${name}( |$)|^npm install .* ${name} `, 'm'));
      expect(page).toMatch(new RegExp(`^import [^;]* from '${name}'`, 'm'));
    }
  });

  // The compiler reads the sources of all packages for it.
  test('its TypeScript compiles', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-handbook-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    writeFileSync(path.join(folder, 'given.ts'), given);
    const project = {
      extends: path.join(root, 'tsconfig.base.json'),
      compilerOptions: {
        noEmit: true,
        jsx: 'react-jsx',
        allowImportingTsExtensions: true,
        // A sample shows what there is, used or not.
        noUnusedLocals: false,
        noUnusedParameters: false,
      },
    };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(project));
    let samples = 0;
    for (const page of handbook) {
      const text = textOf(page);
      for (const { 1: language, 2: code, index } of text.matchAll(fence)) {
        if (language !== 'ts' && language !== 'tsx') continue;
        // As many empty lines as stand above it: what the compiler says names the line of the page.
        const before = text.slice(0, index).replace(/[^\n]/g, '');
        const file = `${page.replaceAll(path.sep, '.')}.${samples}.${language}`;
        writeFileSync(path.join(folder, file), `${before}\n${code}export {};\n`);
        samples += 1;
      }
    }
    expect(samples).toBeGreaterThan(15);
    const compiler = path.join(root, 'node_modules/.bin/tsc');
    const compiled = await promisify(execFile)(compiler, ['-p', folder, '--pretty', 'false']).then(
      () => '',
      (error: { readonly stdout: string }) => error.stdout,
    );
    expect(compiled).toBe('');
  });
});

/** What the samples take for given: the reader's application, and what the page made before. */
const given = `
import type { ReactNode } from 'react';
import type { Client } from '@holdfast/client';
import { defineChannels } from '@holdfast/client/contract';
import type { Hub } from '@holdfast/hub';
import type { Inbox } from '@holdfast/inbox';
import type { Tasks } from '@holdfast/tasks';
import { z } from 'zod';

const chats = defineChannels({ 'chat:{room}': z.object({ text: z.string() }) });

declare global {
  const url: string;
  const connectionString: string;
  const redisUrl: string;
  const currentUser: { readonly id: string };
  const getToken: () => Promise<string>;
  const sign: (keys: readonly string[]) => Promise<{ keys: readonly string[]; signature: string }>;
  const show: (...shown: unknown[]) => void;
  const toast: (title: string, options: { readonly sound: boolean }) => void;
  const reload: (channel: string) => void;
  const Row: (props: { readonly [name: string]: unknown }) => ReactNode;
  const List: (props: { readonly [name: string]: unknown }) => ReactNode;
  interface Price { readonly bid: number }
  interface Score { readonly goals: readonly number[] }
  interface Update { readonly title: string }
  /** Of pages, which this repository is not compiled for. */
  class SharedWorker {
    constructor(url: URL, options: { readonly type: 'module'; readonly name: string });
  }

  const client: Client;
  const contract: typeof chats;
  const hub: Hub;
  const inbox: Inbox;
  const tasks: Tasks;
}
`;
