import type { ConfigNode, SectionNode } from './option.ts';

/** Keys of all options below a section, lists' elements as `channel.namespaces[].presence`. */
export function optionKeys(tree: SectionNode): readonly string[] {
  return keysBelow(tree, '');
}

function keysBelow(node: ConfigNode, key: string): readonly string[] {
  if (node.type === 'option') return [key];
  if (node.type === 'list') return [key, ...keysBelow(node.element, `${key}[]`)];
  return Object.entries(node.children).flatMap(([name, child]) =>
    keysBelow(child, key === '' ? name : `${key}.${name}`),
  );
}
