import { effectiveOptions, type EffectiveOption } from './effective-options.ts';
import { envName } from './env.ts';
import type { LoadedConfig } from './load-config.ts';
import type { ConfigNode, OptionNode } from './option.ts';
import { nodeAt, valueAt, type OptionPath } from './option-path.ts';
import { defaultOrigin, describeOrigin } from './origin.ts';
import { configTree, type Config } from './schema.ts';
import { showValue } from './show-value.ts';
import { notYetReason } from './without-effect.ts';

/** What `config explain` says, or that there is nothing to say. */
export type Explanation = { readonly text: string } | { readonly unknownKey: string };

/**
 * Explains an option (value, source, default, environment variable, meaning), all options of a
 * section in a line each, or all that there are. Secrets are masked.
 */
export function explain({ config, sources }: LoadedConfig, key = ''): Explanation {
  const options = effectiveOptions(config);
  const inLine = ({ key: optionKey, node, value }: EffectiveOption): string => {
    const origin = sources.get(optionKey) ?? defaultOrigin;
    return `${optionKey} = ${showValue(node, value)}  (${describeOrigin(origin)})`;
  };
  if (key === '') return { text: options.map(inLine).join('\n') };
  const exact = options.find((option) => option.key === key);
  if (exact !== undefined) {
    const origin = sources.get(key) ?? defaultOrigin;
    return {
      text: [
        inBlock(exact.node, { key, path: exact.path, config }),
        `  value:    ${showValue(exact.node, exact.value)}`,
        `  from:     ${describeOrigin(origin)}`,
      ].join('\n'),
    };
  }
  const below = options.filter(
    (option) => option.key.startsWith(`${key}.`) || option.key.startsWith(`${key}[`),
  );
  const path = schemaPath(key);
  const node = path === undefined ? undefined : nodeAt(configTree, path);
  if (path === undefined || node === undefined) return { unknownKey: key };
  if (node.type === 'option') {
    return { text: inBlock(node, { key, path, config }) };
  }
  return { text: [`${key}: ${node.description}`, '', ...below.map(inLine)].join('\n').trimEnd() };
}

/** Path of a key in the schema, with index 0 for every element of a list. */
function schemaPath(key: string): OptionPath | undefined {
  if (!/^[a-z0-9_]+(?:\[[^\]]*\])?(?:\.[a-z0-9_]+(?:\[[^\]]*\])?)*$/.test(key)) return undefined;
  const path: (string | number)[] = [];
  let node: ConfigNode | undefined = configTree;
  for (const [, word, element] of key.matchAll(/([a-z0-9_]+)|\[([^\]]*)\]/g)) {
    if (word !== undefined && node?.type === 'section') path.push(word);
    else if (element !== undefined && node?.type === 'list') path.push(0);
    else return undefined;
    node = nodeAt(configTree, path);
    if (node === undefined) return undefined;
  }
  return path;
}

function inBlock(
  node: OptionNode,
  {
    key,
    path,
    config,
  }: { readonly key: string; readonly path: OptionPath; readonly config: Config },
): string {
  const names = path.flatMap((step, index) => {
    if (typeof step !== 'number') return [];
    const name = valueAt(config, [...path.slice(0, index + 1), 'name']);
    return [typeof name === 'string' && name !== '' && !key.includes('[]') ? name : '<NAME>'];
  });
  const why = notYetReason(path);
  const theirs = node.own
    ? 'there is no such option'
    : node.centrifugoDefault === undefined
      ? undefined
      : `the default is ${node.centrifugoDefault}`;
  const hasVariable = !path.some(
    (step, index) => typeof step === 'number' && !isNamed(path.slice(0, index)),
  );
  return [
    key,
    `  ${node.description}`,
    ...(why === undefined ? [] : [`  (No effect: ${why}.)`]),
    '',
    `  must be:  ${node.expected}`,
    `  default:  ${showValue(node, node.defaultValue)}`,
    ...(theirs === undefined ? [] : [`  in Centrifugo ${theirs}`]),
    ...(hasVariable ? [`  variable: ${envName(path, names)}`] : []),
  ].join('\n');
}

function isNamed(list: OptionPath): boolean {
  const node = nodeAt(configTree, list);
  return node?.type === 'list' && node.named;
}
