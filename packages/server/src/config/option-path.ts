import type { ConfigNode, SectionNode } from './option.ts';

/** The way to a value: option names, and indexes of list elements. */
export type OptionPath = readonly (string | number)[];

/** Key of a path in maps. */
export function pathKey(path: OptionPath): string {
  return path.join('.');
}

/** The path with indexes left out: the same for every element of a list. */
export function schemaKey(path: OptionPath): string {
  return path.filter((step) => typeof step === 'string').join('.');
}

/** The value at a path, `undefined` when there is none. */
export function valueAt(root: unknown, path: OptionPath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** A path as people write it; elements that have a name go by it: `channel.namespaces[chat].presence`. */
export function displayPath(path: OptionPath, root: unknown): string {
  let shown = '';
  path.forEach((step, index) => {
    if (typeof step === 'number') {
      const name = valueAt(root, [...path.slice(0, index + 1), 'name']);
      shown += `[${typeof name === 'string' && name !== '' ? name : step}]`;
    } else {
      shown += shown === '' ? step : `.${step}`;
    }
  });
  return shown;
}

/**
 * Reads a path as {@link displayPath} writes it. Elements can be named or counted.
 * @returns `undefined` when the path does not lead to an option, section or list, or not to an
 * element that exists in `root`.
 */
export function parsePath(shown: string, tree: SectionNode, root: unknown): OptionPath | undefined {
  const path: (string | number)[] = [];
  let node: ConfigNode = tree;
  let rest = shown;
  while (rest !== '') {
    const bracket = /^\[([^\]]+)\]\.?/.exec(rest);
    const word = /^([a-z0-9_]+)\.?/.exec(rest);
    if (node.type === 'list' && bracket?.[1] !== undefined) {
      const index = elementIndex(valueAt(root, path), bracket[1]);
      if (index === undefined) return undefined;
      path.push(index);
      node = node.element;
      rest = rest.slice(bracket[0].length);
    } else if (node.type === 'section' && word?.[1] !== undefined) {
      const child: ConfigNode | undefined = Object.hasOwn(node.children, word[1])
        ? node.children[word[1]]
        : undefined;
      if (child === undefined) return undefined;
      path.push(word[1]);
      node = child;
      rest = rest.slice(word[0].length);
    } else {
      return undefined;
    }
  }
  return path;
}

function elementIndex(list: unknown, nameOrIndex: string): number | undefined {
  if (!Array.isArray(list)) return undefined;
  const named = list.findIndex((element) => valueAt(element, ['name']) === nameOrIndex);
  if (named >= 0) return named;
  const index = /^\d+$/.test(nameOrIndex) ? Number(nameOrIndex) : list.length;
  return index < list.length ? index : undefined;
}

/** The node at a path; stops at an option even if the path goes on into its value. */
export function nodeAt(tree: SectionNode, path: OptionPath): ConfigNode | undefined {
  let node: ConfigNode = tree;
  for (const step of path) {
    if (node.type === 'option') return node;
    if (node.type === 'list') {
      node = node.element;
      continue;
    }
    const child: ConfigNode | undefined = Object.hasOwn(node.children, step)
      ? node.children[step]
      : undefined;
    if (child === undefined) return undefined;
    node = child;
  }
  return node;
}
