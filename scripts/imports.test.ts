import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

/**
 * Who may import whom. A package imports only the rooms named here, only through their doors
 * (`exports` in package.json), and everything else it imports stands in its own package.json.
 */
const allowedImports: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  hub: ['protocol'],
  store: [],
  http: [],
  journal: ['hub', 'store'],
  inbox: ['protocol', 'hub', 'http', 'store'],
  tasks: ['protocol', 'http', 'store'],
  server: ['protocol', 'hub', 'http', 'journal', 'store', 'inbox', 'tasks'],
  client: ['protocol'],
  react: ['client'],
};

const root = path.resolve(import.meta.dirname, '..');
const importPattern =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import\s+'([^']+)'/g;

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8')) as Manifest;
}

function importsOf(file: string): readonly string[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  return [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

const packages = globSync('packages/*/package.json', { cwd: root }).map((file) =>
  path.basename(path.dirname(file)),
);

describe('import direction', () => {
  test('every package has a place in the house', () => {
    expect(packages.toSorted()).toEqual(Object.keys(allowedImports).toSorted());
  });

  test.each(packages)('%s imports only what stands below it, through its door', (name) => {
    const manifest = manifestOf(`packages/${name}`);
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
    const violations: string[] = [];
    for (const file of globSync(`packages/${name}/src/**/*.{ts,tsx}`, { cwd: root })) {
      const isTest = /\.test\.tsx?$/.test(file) || file.includes('/testing/');
      for (const specifier of importsOf(file)) {
        if (specifier.startsWith('node:')) continue;
        if (specifier.startsWith('.')) {
          const target = path.relative(root, path.resolve(root, path.dirname(file), specifier));
          if (!target.startsWith(`packages/${name}/`)) violations.push(`${file}: ${specifier}`);
          continue;
        }
        const [scope, ...rest] = specifier.split('/');
        const dependency = scope?.startsWith('@') ? `${scope}/${rest[0] ?? ''}` : (scope ?? '');
        if (dependency.startsWith('@holdfast/')) {
          const room = dependency.slice('@holdfast/'.length);
          const door = `.${specifier.slice(dependency.length)}`;
          const isAllowed = room === name || allowedImports[name]?.includes(room);
          if (!isAllowed) violations.push(`${file}: ${name} must not import ${room}`);
          else if (!(door in manifestOf(`packages/${room}`).exports)) {
            violations.push(`${file}: ${specifier} is not a door of ${room}`);
          }
        }
        const isDeclared = dependency in declared || dependency === manifest.name;
        if (!isDeclared && !isTest) violations.push(`${file}: ${dependency} is not declared`);
      }
    }
    expect(violations).toEqual([]);
  });
});

test('tests start processes in one way, which ends them whatever happens', () => {
  const ofTests = [
    '{packages/*/src,examples,conformance,scripts}/**/*.test.{ts,tsx}',
    'packages/*/src/**/testing/*.ts',
    'conformance/**/*.ts',
  ];
  const starters = ofTests
    .flatMap((pattern) => globSync(pattern, { cwd: root }))
    .filter((file) =>
      /import \{[^}]*\b(?:spawn|fork|exec)\b[^}]*\} from 'node:child_process'/.test(
        readFileSync(path.join(root, file), 'utf8'),
      ),
    );
  expect(starters).toEqual(['packages/store/src/testing/owned-process.ts']);
});
