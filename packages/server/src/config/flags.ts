import type { Layers } from './layers.ts';
import type { SectionNode } from './option.ts';
import { parsePath } from './option-path.ts';
import type { ConfigProblem } from './problem.ts';
import { closest } from './closest.ts';
import { optionKeys } from './option-keys.ts';

/** A value given on the command line. */
export interface FlagValue {
  /** The flag as it was typed, without its value: `--port`, `--set`. */
  readonly flag: string;
  /** The option, such as `http_server.port` or `channel.namespaces[chat].presence`. */
  readonly key: string;
  readonly value: string;
}

/**
 * Lays flags over what is there.
 * @returns problems for keys that do not exist: unlike a file, which may be meant for another
 * version, a flag is typed for this very start, so a wrong one is refused.
 */
export function applyFlags(
  flags: readonly FlagValue[],
  { layers, tree }: { readonly layers: Layers; readonly tree: SectionNode },
): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const { flag, key, value } of flags) {
    const path = parsePath(key, tree, layers.raw);
    const origin = { source: 'flag', flag } as const;
    if (path === undefined || typeof path.at(-1) !== 'string') {
      problems.push({
        key,
        problem: 'is not an option',
        reason: 'there is nothing that this flag could set',
        remedy: remedyFor(key, tree),
        origin,
      });
      continue;
    }
    layers.set(path, value, origin);
  }
  return problems;
}

function remedyFor(key: string, tree: SectionNode): string {
  if (key.includes('[')) {
    return 'An element is named as in channel.namespaces[chat].presence, and must be there already.';
  }
  const guess = closest(key, optionKeys(tree));
  if (guess !== undefined) return `Did you mean ${guess}?`;
  return 'List all options with: holdfast config explain';
}
