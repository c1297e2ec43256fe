import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { envName } from './env.ts';
import { optionKeys } from './option-keys.ts';
import type { ConfigNode, OptionNode } from './option.ts';
import { configurationReference } from './reference.ts';
import { configTree } from './schema.ts';
import { showValue } from './show-value.ts';

const page = path.resolve(import.meta.dirname, '../../../../docs/configuration.md');
const lines = configurationReference().split('\n');

interface Documented {
  readonly key: string;
  readonly node: OptionNode;
  readonly variable: string | undefined;
}

/** All options, found in another way than the reference finds them. */
function allOptions(
  node: ConfigNode,
  path: readonly (string | number)[] = [],
  hasVariable = true,
): readonly Documented[] {
  if (node.type === 'option') {
    const key = path.reduce<string>(
      (shown, step) => (typeof step === 'number' ? `${shown}[]` : `${shown}.${step}`),
      '',
    );
    return [{ key: key.slice(1), node, variable: hasVariable ? envName(path) : undefined }];
  }
  if (node.type === 'list')
    return allOptions(node.element, [...path, 0], hasVariable && node.named);
  return Object.entries(node.children).flatMap(([name, child]) =>
    allOptions(child, [...path, name], hasVariable),
  );
}

/** The row of an option: its own, or that of the section to which its section refers. */
function rowOf(key: string): { readonly row: string; readonly prefix: string | undefined } {
  const own = lines.find((line) => line.startsWith(`| \`${key}\` |`));
  if (own !== undefined) return { row: own, prefix: undefined };
  for (let end = key.lastIndexOf('.'); end > 0; end = key.lastIndexOf('.', end - 1)) {
    const heading = lines.indexOf(`### \`${key.slice(0, end)}\``);
    if (heading < 0) continue;
    const next = lines.findIndex((line, index) => index > heading && line.startsWith('### '));
    const reference = lines
      .slice(heading, next)
      .map((line) => /options of `([^`]+)`.* Variables begin with `([^`]+)`\./.exec(line))
      .find((match) => match !== null);
    if (reference === undefined || reference === null) continue;
    const { row } = rowOf(`${reference[1] ?? ''}${key.slice(end)}`);
    return { row, prefix: reference[2] };
  }
  throw new Error(`${key} is not documented`);
}

describe('docs/configuration.md', () => {
  test('is what the schema says (npm run docs)', () => {
    expect(readFileSync(page, 'utf8')).toBe(configurationReference());
  });

  const options = allOptions(configTree);

  test('covers the whole schema', () => {
    const keys = optionKeys(configTree).filter((key) =>
      options.some((option) => option.key === key),
    );
    expect(keys).toEqual(options.map(({ key }) => key));
    expect(options.length).toBeGreaterThan(300);
  });

  test.each(options)(
    '$key is there with default, variable and meaning',
    ({ key, node, variable }) => {
      const { row, prefix } = rowOf(key);
      expect(row).toContain(
        `| \`${showValue(node, node.defaultValue).replaceAll('|', String.raw`\|`)}\` |`,
      );
      expect(row).toContain(node.description.replaceAll('|', String.raw`\|`));
      const told =
        variable === undefined
          ? row.includes('in JSON')
          : prefix === undefined
            ? row.includes(`| \`${variable}\` |`)
            : variable.startsWith(prefix);
      expect(told).toBe(true);
      expect(node.description).toMatch(/^[A-Z`].*[.)]$/s);
    },
  );
});
