import type { OptionKind } from './coerce.ts';
import type { ConfigNode, SectionNode } from './option.ts';
import { displayPath, nodeAt, pathKey, valueAt, type OptionPath } from './option-path.ts';
import type { Origin } from './origin.ts';
import type { ConfigProblem } from './problem.ts';

/** An unread part of the configuration: values as their source had them. */
export type RawSection = Record<string, unknown>;

/** A key that the schema does not have. */
export interface UnknownKey {
  readonly path: OptionPath;
  readonly origin: Origin;
}

function isSection(value: unknown): value is RawSection {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJsonText(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** Kinds for which Centrifugo's files may hold an empty text in the place of nothing. */
const emptyIsNotSet: ReadonlySet<OptionKind> = new Set(['boolean', 'integer', 'duration']);

/**
 * Puts the sources of the configuration on top of each other, option by option, and remembers which
 * source each value came from. Lists are replaced as a whole. Only keys of the schema get in.
 */
export class Layers {
  readonly #tree: SectionNode;
  readonly raw: RawSection = {};
  readonly unknownKeys: UnknownKey[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly #origins = new Map<string, Origin>();

  constructor(tree: SectionNode) {
    this.#tree = tree;
  }

  /** Where the value at a path was set; `undefined`: nowhere, it is the default. */
  originOf(path: OptionPath): Origin | undefined {
    return this.#origins.get(pathKey(path));
  }

  /** Paths of all options that were set, in the form of `pathKey`. */
  get setPaths(): Iterable<string> {
    return this.#origins.keys();
  }

  /** Lays a whole source over what is there. `null` counts as not set. */
  apply(source: RawSection, origin: Origin): void {
    this.#merge(this.#tree, this.raw, { source, path: [], origin });
  }

  /** Sets one option, section or list. The path must be one of the schema. */
  set(path: OptionPath, value: unknown, origin: Origin): void {
    const parentPath = path.slice(0, -1);
    const key = String(path.at(-1));
    const parent = nodeAt(this.#tree, parentPath);
    if (parent?.type !== 'section') throw new TypeError(`no such option: ${pathKey(path)}`);
    let target: unknown = this.raw;
    for (const step of parentPath) {
      const next: unknown = valueAt(target, [step]) ?? {};
      (target as Record<string | number, unknown>)[step] = next;
      target = next;
    }
    this.#merge(parent, target as RawSection, {
      source: { [key]: value },
      path: parentPath,
      origin,
    });
  }

  /** Takes a value out, as if it had never been set. */
  remove(path: OptionPath): void {
    const section = valueAt(this.raw, path.slice(0, -1));
    if (typeof section === 'object' && section !== null)
      Reflect.deleteProperty(section, String(path.at(-1)));
    this.#origins.delete(pathKey(path));
  }

  #merge(
    node: SectionNode,
    target: RawSection,
    { source, path, origin }: { source: RawSection; path: OptionPath; origin: Origin },
  ): void {
    for (const [key, value] of Object.entries(source)) {
      if (value === null || value === undefined) continue;
      const keyPath = [...path, key];
      const child: ConfigNode | undefined = Object.hasOwn(node.children, key)
        ? node.children[key]
        : undefined;
      if (child === undefined) {
        this.unknownKeys.push({ path: keyPath, origin });
      } else if (child.type === 'option') {
        if (value === '' && emptyIsNotSet.has(child.kind)) continue;
        target[key] = child.kind === 'secretMap' ? parseJsonText(value) : value;
        this.#origins.set(pathKey(keyPath), origin);
      } else if (child.type === 'section') {
        if (isSection(value)) {
          const nested = (target[key] ??= {}) as RawSection;
          this.#merge(child, nested, { source: value, path: keyPath, origin });
        } else {
          this.#refuse(keyPath, origin, 'a section with options of its own');
        }
      } else {
        const list = parseJsonText(value);
        if (!Array.isArray(list) || !list.every(isSection)) {
          this.#refuse(keyPath, origin, 'a list of sections (as text: in JSON)');
          continue;
        }
        this.#forget(keyPath);
        target[key] = list.map((element, index) => {
          const nested: RawSection = {};
          // Before its options, so that an element is known by its name in messages about them.
          if (typeof element.name === 'string') nested.name = element.name;
          this.#merge(child.element, nested, {
            source: element,
            path: [...keyPath, index],
            origin,
          });
          return nested;
        });
        this.#origins.set(pathKey(keyPath), origin);
      }
    }
  }

  #refuse(path: OptionPath, origin: Origin, expected: string): void {
    this.problems.push({
      key: displayPath(path, this.raw),
      problem: 'is a single value',
      reason: `it must be ${expected}`,
      remedy: 'See docs/configuration.md for what belongs there.',
      origin,
    });
  }

  #forget(list: OptionPath): void {
    const prefix = `${pathKey(list)}.`;
    for (const key of this.#origins.keys()) {
      if (key.startsWith(prefix)) this.#origins.delete(key);
    }
  }
}
