import type { z } from 'zod';
import type { Layers } from './layers.ts';
import type { OptionNode } from './option.ts';
import { displayPath, nodeAt, valueAt, type OptionPath } from './option-path.ts';
import type { ConfigProblem } from './problem.ts';
import { showValue } from './show-value.ts';
import { configTree } from './schema.ts';

/** Values longer than this are cut in messages. */
const longestShownValue = 80;

/** The option that an issue is about: a path may go on into the option's value. */
function optionOf(
  path: OptionPath,
): { readonly path: OptionPath; readonly node: OptionNode } | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const candidate = path.slice(0, length);
    const node = nodeAt(configTree, candidate);
    const parent = nodeAt(configTree, candidate.slice(0, -1));
    if (node?.type === 'option' && parent?.type !== 'option') return { path: candidate, node };
  }
  return undefined;
}

function shorten(text: string): string {
  return text.length > longestShownValue ? `${text.slice(0, longestShownValue)}…` : text;
}

function remedyFor(node: OptionNode, raw: unknown): string {
  if (node.kind === 'duration' && typeof raw === 'number') {
    return `Write "${raw}s" if seconds are meant. (Centrifugo reads a bare number as nanoseconds, so it is not taken here.)`;
  }
  if ((node.kind === 'text' || node.kind === 'secret') && typeof raw === 'number') {
    return 'Put the value in quotes.';
  }
  return `Correct it, or remove it for the default: ${showValue(node, node.defaultValue)}`;
}

/** A value that the schema refuses. */
export interface InvalidValue {
  readonly path: OptionPath;
  readonly problem: ConfigProblem;
}

/** Puts what the schema has against a value into words. Secrets are not shown. */
export function invalidValueOf(issue: z.core.$ZodIssue, layers: Layers): InvalidValue {
  const found = optionOf(issue.path as OptionPath);
  if (found === undefined) throw new Error(`an issue outside of all options: ${issue.code}`);
  const { path, node } = found;
  const raw = valueAt(layers.raw, path);
  const origin = layers.originOf(path);
  const isSecret = node.kind === 'secret' || node.kind === 'secretMap';
  const isRule = issue.code === 'custom' && issue.message !== 'Invalid input';
  return {
    path,
    problem: {
      key: displayPath(path, layers.raw),
      problem: isSecret
        ? 'has a value that cannot be taken (not shown, it is a secret)'
        : `is ${shorten(JSON.stringify(raw))}`,
      reason: isRule ? `it ${issue.message}` : `it must be ${node.expected}`,
      remedy: remedyFor(node, raw),
      ...(origin === undefined ? {} : { origin }),
    },
  };
}
