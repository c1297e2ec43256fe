import type { ConfigNode, OptionNode } from './option.ts';
import { displayPath, type OptionPath } from './option-path.ts';
import { configTree, type Config } from './schema.ts';

/** One option with the value that it has. */
export interface EffectiveOption {
  readonly path: OptionPath;
  /** As people write it: `channel.namespaces[chat].presence`. */
  readonly key: string;
  readonly node: OptionNode;
  readonly value: unknown;
}

/** Every option of a configuration, those of list elements too, in the order of the schema. */
export function effectiveOptions(config: Config): readonly EffectiveOption[] {
  const options: EffectiveOption[] = [];
  collect(configTree, [], config);
  return options;

  function collect(node: ConfigNode, path: OptionPath, value: unknown): void {
    switch (node.type) {
      case 'option':
        options.push({ path, key: displayPath(path, config), node, value });
        return;
      case 'section':
        for (const [key, child] of Object.entries(node.children)) {
          collect(child, [...path, key], (value as Readonly<Record<string, unknown>>)[key]);
        }
        return;
      case 'list':
        (value as readonly unknown[]).forEach((element, index) => {
          collect(node.element, [...path, index], element);
        });
        return;
      default:
        node satisfies never;
    }
  }
}
