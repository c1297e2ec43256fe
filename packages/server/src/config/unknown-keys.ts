import { closest } from './closest.ts';
import type { UnknownKey } from './layers.ts';
import type { SectionNode } from './option.ts';
import { optionKeys } from './option-keys.ts';
import { displayPath, nodeAt, schemaKey } from './option-path.ts';
import type { ConfigWarning } from './problem.ts';
import { unsupportedReason } from './without-effect.ts';

/** Keys longer than this are cut in messages. */
const longestShownKey = 120;

function suggestion(unknown: UnknownKey, tree: SectionNode): string | undefined {
  const key = schemaKey(unknown.path);
  const name = String(unknown.path.at(-1));
  const parent = nodeAt(tree, unknown.path.slice(0, -1));
  const siblings = parent?.type === 'section' ? Object.keys(parent.children) : [];
  const sibling = closest(name, siblings);
  if (sibling !== undefined) return sibling;
  const all = optionKeys(tree);
  // Right name, wrong section: Centrifugo 5 had most options at the top level.
  const elsewhere = all.filter((candidate) => candidate.endsWith(`.${name}`));
  return elsewhere.length === 1 ? elsewhere[0] : closest(key, all);
}

/** Turns keys that the schema does not have into warnings: never fatal, never silent. */
export function warnOfUnknownKeys(
  unknownKeys: readonly UnknownKey[],
  { tree, raw }: { readonly tree: SectionNode; readonly raw: unknown },
): readonly ConfigWarning[] {
  return unknownKeys.map((unknown) => {
    const key = displayPath(unknown.path, raw).slice(0, longestShownKey);
    const why = unsupportedReason(unknown.path);
    if (why !== undefined) {
      return { key, message: `This option has no effect: ${why}.`, origin: unknown.origin };
    }
    const guess = suggestion(unknown, tree);
    const hint = guess === undefined ? '' : ` Did you mean ${guess}?`;
    return {
      key,
      message: `There is no such option; it has no effect.${hint}`,
      origin: unknown.origin,
    };
  });
}
