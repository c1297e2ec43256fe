import type { FilterNode } from '@holdfast/protocol';
import { compareDecimals, parseDecimal } from './decimal.ts';

type Tags = Readonly<Record<string, string>>;

/** Whether a publication with these tags passes. Never throws. */
export type TagsPredicate = (tags: Tags | undefined) => boolean;

/** A client's filter, ready to use, or what is wrong with it in words for the client's developer. */
export type TagsFilter =
  | { readonly problem: string }
  | { readonly problem?: undefined; readonly matches: TagsPredicate };

/** Nodes of one filter; it is evaluated for each publication and subscriber. */
export const maxFilterNodes = 64;
/** Levels of one filter, the root being the first. */
export const maxFilterDepth = 8;

const noTags: Tags = {};

/**
 * Makes a predicate of a client's tags filter (Centrifugo client protocol, "Tags filter"): `and`,
 * `or` and `not` nodes over leaves that compare one tag.
 *
 * - `eq`, `neq`, `in`, `nin`, `sw`, `ew`, `ct` compare text; `ex` and `nex` ask whether the tag is
 *   there; `lt`, `lte`, `gt`, `gte` compare decimal numbers (`-12`, `0.50`) exactly, of any length.
 * - Without the tag only `neq`, `nin` and `nex` pass; a number comparison passes for nothing that is
 *   no number.
 *
 * @returns a problem when the filter is not valid or exceeds {@link maxFilterNodes} or
 *   {@link maxFilterDepth}. Such a subscribe is answered with 107.
 */
export function compileTagsFilter(root: FilterNode): TagsFilter {
  const compiler = new Compiler();
  const matches = compiler.compile(root, 1);
  return compiler.problem === undefined ? { matches } : { problem: compiler.problem };
}

function passesNothing(): boolean {
  return false;
}

class Compiler {
  /** The first thing found wrong. */
  problem: string | undefined;
  #nodes = 0;

  compile(node: FilterNode, depth: number): TagsPredicate {
    this.#nodes += 1;
    if (this.#nodes > maxFilterNodes) {
      return this.#refuse(`a tags filter may have at most ${maxFilterNodes} nodes`);
    }
    if (depth > maxFilterDepth) {
      return this.#refuse(`a tags filter may be at most ${maxFilterDepth} levels deep`);
    }
    const { op = '', nodes = [] } = node;
    if (op === '') {
      if (nodes.length > 0) return this.#refuse('a node with nodes needs an op: and, or, not');
      return this.#leaf(node);
    }
    if (node.cmp || node.key || node.val || node.vals?.length) {
      return this.#refuse(`${quoted(op)} takes nodes only; cmp, key, val and vals are for leaves`);
    }
    switch (op) {
      case 'and':
      case 'or':
        if (nodes.length === 0) return this.#refuse(`${quoted(op)} needs at least one node`);
        break;
      case 'not':
        if (nodes.length !== 1) return this.#refuse(`${quoted(op)} needs exactly one node`);
        break;
      default:
        return this.#refuse(`unknown op ${quoted(op)}`);
    }
    const filters: TagsPredicate[] = [];
    for (const child of nodes) {
      filters.push(this.compile(child, depth + 1));
      if (this.problem !== undefined) return passesNothing;
    }
    if (op === 'and') return (tags) => filters.every((filter) => filter(tags));
    if (op === 'or') return (tags) => filters.some((filter) => filter(tags));
    const [filter = passesNothing] = filters;
    return (tags) => !filter(tags);
  }

  #leaf({ key = '', cmp = '', val = '', vals = [] }: FilterNode): TagsPredicate {
    if (cmp === '') return this.#refuse('a leaf needs cmp');
    if (key === '') return this.#refuse(`${quoted(cmp)} needs a key`);
    if (cmp === 'ex' || cmp === 'nex') {
      if (val !== '' || vals.length > 0) return this.#refuse(`${quoted(cmp)} takes no val or vals`);
      const isWanted = cmp === 'ex';
      return (tags) => (valueOf(tags, key) !== undefined) === isWanted;
    }
    if (cmp === 'in' || cmp === 'nin') {
      if (vals.length === 0) return this.#refuse(`${quoted(cmp)} needs vals`);
      if (val !== '') return this.#refuse(`${quoted(cmp)} takes vals, not val`);
      const wanted = new Set(vals);
      const isWanted = cmp === 'in';
      return (tags) => {
        const value = valueOf(tags, key);
        return (value !== undefined && wanted.has(value)) === isWanted;
      };
    }
    const passes = comparison(cmp, val);
    if (!passes) return this.#refuse(`unknown cmp ${quoted(cmp)}`);
    if (val === '') return this.#refuse(`${quoted(cmp)} needs a val that is not empty`);
    if (vals.length > 0) return this.#refuse(`${quoted(cmp)} takes val, not vals`);
    if (cmp === 'neq') return (tags) => valueOf(tags, key) !== val;
    return (tags) => {
      const value = valueOf(tags, key);
      return value !== undefined && passes(value);
    };
  }

  #refuse(problem: string): TagsPredicate {
    this.problem ??= problem;
    return passesNothing;
  }
}

/** How one value of a tag is compared; undefined for a `cmp` that does not exist. */
function comparison(cmp: string, val: string): ((value: string) => boolean) | undefined {
  switch (cmp) {
    case 'eq':
      return (value) => value === val;
    case 'neq':
      return (value) => value !== val;
    case 'sw':
      return (value) => value.startsWith(val);
    case 'ew':
      return (value) => value.endsWith(val);
    case 'ct':
      return (value) => value.includes(val);
    case 'lt':
      return numberComparison(val, (difference) => difference < 0);
    case 'lte':
      return numberComparison(val, (difference) => difference <= 0);
    case 'gt':
      return numberComparison(val, (difference) => difference > 0);
    case 'gte':
      return numberComparison(val, (difference) => difference >= 0);
    default:
      return undefined;
  }
}

function numberComparison(
  val: string,
  passes: (difference: number) => boolean,
): (value: string) => boolean {
  const wanted = parseDecimal(val);
  if (!wanted) return passesNothing;
  return (value) => {
    const decimal = parseDecimal(value);
    return decimal !== undefined && passes(compareDecimals(decimal, wanted));
  };
}

/** Own string members only: `constructor` is no tag of every publication. */
function valueOf(tags: Tags = noTags, key: string): string | undefined {
  const value: unknown = tags[key];
  return typeof value === 'string' ? value : undefined;
}

/** What a client sent, short enough for an error message. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 20 ? `${text.slice(0, 20)}…` : text);
}
