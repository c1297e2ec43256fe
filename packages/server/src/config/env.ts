import { closest } from './closest.ts';
import type { Layers } from './layers.ts';
import type { ConfigNode, SectionNode } from './option.ts';
import type { OptionPath } from './option-path.ts';
import type { Origin } from './origin.ts';
import type { ConfigWarning } from './problem.ts';

/** Prefixes of variables, later ones win. Centrifugo's is honoured to make moving over easy. */
export const envPrefixes = ['CENTRIFUGO_', 'HOLDFAST_'] as const;

/** Variables that are no options: which file to read. */
export const configFileVariable = 'HOLDFAST_CONFIG';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The part of a variable's name that stands for a namespace or hook of this name. */
function envWord(name: string): string {
  return name.replaceAll(/[.-]/g, '_').toUpperCase();
}

/**
 * The name of an option's environment variable: prefix, then the names on the way to it. For options
 * of list elements, the element's name stands in the place of its index.
 */
export function envName(path: OptionPath, names: readonly string[] = []): string {
  let element = 0;
  const words = path.map((step) =>
    typeof step === 'string' ? step : (names[element++] ?? '<NAME>'),
  );
  return `HOLDFAST_${words.map(envWord).join('_')}`;
}

type Targets = Map<string, OptionPath[]>;

function addTargets(node: ConfigNode, path: OptionPath, targets: Targets): void {
  if (node.type === 'section') {
    for (const [key, child] of Object.entries(node.children)) {
      addTargets(child, [...path, key], targets);
    }
    return;
  }
  targets.set(envName(path).slice('HOLDFAST_'.length), [path]);
}

function namedElements(
  node: ConfigNode,
  path: OptionPath,
  raw: unknown,
): readonly { readonly path: OptionPath; readonly name: string; readonly element: SectionNode }[] {
  if (typeof raw !== 'object' || raw === null) return [];
  if (node.type === 'section') {
    return Object.entries(node.children).flatMap(([key, child]) =>
      namedElements(child, [...path, key], (raw as Record<string, unknown>)[key]),
    );
  }
  if (node.type !== 'list' || !node.named || !Array.isArray(raw)) return [];
  return raw.flatMap((element: { readonly name?: unknown }, index) =>
    typeof element.name === 'string' && element.name !== ''
      ? [{ path: [...path, index], name: element.name, element: node.element }]
      : [],
  );
}

/** Set by Kubernetes for each service, not by anybody who configures this program. */
function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(?:HOST|PORT)/.test(name) ||
    /_PORT_\d+_(?:TCP|UDP|SCTP)/.test(name) ||
    /^(?:tcp|udp|sctp):\/\//.test(value)
  );
}

/**
 * Lays environment variables over what is there. An empty variable counts as not set.
 * @returns warnings for variables with one of our prefixes that mean nothing.
 */
export function applyEnvironment(
  environment: Environment,
  {
    layers,
    tree,
    origin,
  }: {
    readonly layers: Layers;
    readonly tree: SectionNode;
    readonly origin: (variable: string) => Origin;
  },
): readonly ConfigWarning[] {
  const options: Targets = new Map();
  addTargets(tree, [], options);
  const warnings: ConfigWarning[] = [];
  const honoured: string[] = [];
  for (const prefix of envPrefixes) {
    const variables = new Map(
      Object.entries(environment).flatMap(([name, value]) =>
        name.startsWith(prefix) &&
        name !== configFileVariable &&
        !name.startsWith(`${prefix}VAR_`) &&
        value !== undefined &&
        value !== '' &&
        !isServiceLink(name, value)
          ? [[name.slice(prefix.length), value] as const]
          : [],
      ),
    );
    const apply = (targets: Targets): void => {
      for (const [name, paths] of targets) {
        const value = variables.get(name);
        if (value === undefined) continue;
        if (prefix === 'CENTRIFUGO_') honoured.push(name);
        for (const path of paths) layers.set(path, value, origin(prefix + name));
        used.add(name);
      }
    };
    const used = new Set<string>();
    apply(options);
    // After the lists themselves, which may have come from a variable just now.
    const elementOptions: Targets = new Map();
    for (const { path, name, element } of namedElements(tree, [], layers.raw)) {
      const own: Targets = new Map();
      addTargets(element, [], own);
      const listName = envName(path.slice(0, -1)).slice('HOLDFAST_'.length);
      for (const [variable, [rest = []] = []] of own) {
        const full = `${listName}_${envWord(name)}_${variable}`;
        elementOptions.set(full, [...(elementOptions.get(full) ?? []), [...path, ...rest]]);
      }
    }
    apply(elementOptions);
    const known = [...options.keys(), ...elementOptions.keys()];
    for (const name of variables.keys()) {
      if (used.has(name)) continue;
      const guess = closest(name, known);
      const hint = guess === undefined ? '' : ` Did you mean ${prefix}${guess}?`;
      warnings.push({
        key: prefix + name,
        message: `There is no option for this variable; it has no effect.${hint}`,
        origin: origin(prefix + name),
      });
    }
  }
  if (honoured.length > 0) {
    warnings.push({
      key: 'CENTRIFUGO_*',
      message: `${honoured.length === 1 ? 'A variable' : 'Variables'} of Centrifugo's naming ${honoured.length === 1 ? 'was' : 'were'} honoured (${honoured.map((name) => `CENTRIFUGO_${name}`).join(', ')}); HOLDFAST_* variables of the same names win over them.`,
    });
  }
  return warnings;
}
