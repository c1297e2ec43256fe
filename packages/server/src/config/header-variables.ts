import { envPrefixes, type Environment } from './env.ts';
import type { Layers } from './layers.ts';
import type { ConfigNode } from './option.ts';
import { displayPath, type OptionPath } from './option-path.ts';
import type { ConfigProblem } from './problem.ts';
import { configTree } from './schema.ts';

const reference = new RegExp(`\\$\\{((?:${envPrefixes.join('|')})VAR_[^}]+)\\}`, 'g');

/**
 * Replaces `${HOLDFAST_VAR_NAME}` in the values of secret maps (headers sent to backends) by the
 * environment's variables, as Centrifugo does with its own prefix, so that files need not hold them.
 * @returns a problem for each variable that is not set.
 */
export function expandHeaderVariables(
  layers: Layers,
  environment: Environment,
): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  visit(configTree, [], layers.raw);
  return problems;

  function visit(node: ConfigNode, path: OptionPath, raw: unknown): void {
    if (typeof raw !== 'object' || raw === null) return;
    if (node.type === 'list') {
      if (Array.isArray(raw))
        raw.forEach((item, index) => visit(node.element, [...path, index], item));
      return;
    }
    if (node.type === 'section') {
      for (const [key, child] of Object.entries(node.children)) {
        visit(child, [...path, key], (raw as Record<string, unknown>)[key]);
      }
      return;
    }
    if (node.kind !== 'secretMap') return;
    for (const [name, value] of Object.entries(raw)) {
      if (typeof value !== 'string') continue;
      (raw as Record<string, unknown>)[name] = value.replaceAll(
        reference,
        (whole, variable: string) => {
          const found = environment[variable];
          if (found !== undefined) return found;
          const origin = layers.originOf(path);
          problems.push({
            key: displayPath(path, layers.raw),
            problem: `refers to ${whole}`,
            reason: 'there is no such environment variable',
            remedy: 'Set the variable, or correct its name.',
            ...(origin === undefined ? {} : { origin }),
          });
          return whole;
        },
      );
    }
  }
}
