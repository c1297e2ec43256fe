import { z } from 'zod';
import { coerce, type OptionKind } from './coerce.ts';
import { Duration } from './duration.ts';
import { Secret } from './secret.ts';

/** What is known about one option besides its type: for errors, `config explain` and the docs. */
export interface OptionNode {
  readonly type: 'option';
  readonly kind: OptionKind;
  readonly description: string;
  readonly defaultValue: unknown;
  /** What a value must be, to follow "must be": `a whole number from 0 to 65535`. */
  readonly expected: string;
  /** Centrifugo has no such option. */
  readonly own: boolean;
  /** Centrifugo's default, as it would be written, where ours differs. */
  readonly centrifugoDefault?: string;
}

export interface SectionNode {
  readonly type: 'section';
  readonly description: string;
  readonly children: Readonly<Record<string, ConfigNode>>;
}

export interface ListNode {
  readonly type: 'list';
  readonly description: string;
  /** Elements are told apart by their `name`, and have environment variables of their own. */
  readonly named: boolean;
  readonly element: SectionNode;
}

export type ConfigNode = OptionNode | SectionNode | ListNode;

const nodes = z.registry<{ readonly node: ConfigNode }>();

/** The description of a schema made by the builders of this module. */
export function nodeOf(schema: z.core.$ZodType): ConfigNode {
  const meta = nodes.get(schema);
  if (meta === undefined) throw new TypeError('this schema was not made by an option builder');
  return meta.node;
}

/** The schema of a value that is read from anything and has a default. */
export type OptionSchema<Value> = z.ZodType<Value>;

export interface OptionExtras<Value = unknown> {
  readonly own?: boolean;
  readonly centrifugoDefault?: string;
  /** A rule beyond the type. @returns why the value cannot work, to follow "it": `has no scheme` */
  readonly check?: (value: Value) => string | undefined;
}

interface OptionShape<Value> {
  readonly kind: OptionKind;
  readonly inner: z.ZodType<Value>;
  readonly defaultValue: Value;
  readonly expected: string;
  readonly description: string;
}

function option<Value>(
  { inner, ...shape }: OptionShape<Value>,
  { check, own = false, centrifugoDefault }: OptionExtras<Value> = {},
): OptionSchema<Value> {
  const checked = inner.superRefine((value, context) => {
    const fault = check?.(value);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });
  const schema = z
    .preprocess((raw) => coerce(shape.kind, raw), checked)
    .default(shape.defaultValue as never);
  nodes.add(schema, {
    node: {
      type: 'option',
      ...shape,
      own,
      ...(centrifugoDefault === undefined ? {} : { centrifugoDefault }),
    },
  });
  return schema;
}

/** `true` or `false`. */
export function flag(
  defaultValue: boolean,
  description: string,
  extras?: OptionExtras<boolean>,
): OptionSchema<boolean> {
  const expected = 'true or false';
  return option(
    { kind: 'boolean', inner: z.boolean(), defaultValue, expected, description },
    extras,
  );
}

export interface IntegerExtras extends OptionExtras<number> {
  /** @defaultValue 0 */
  readonly min?: number;
  readonly max?: number;
}

/** A whole number, not negative unless `min` says so. */
export function integer(
  defaultValue: number,
  description: string,
  extras: IntegerExtras = {},
): OptionSchema<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = extras;
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`;
  return option(
    {
      kind: 'integer',
      inner: z.int().min(min).max(max),
      defaultValue,
      expected: `a whole number, ${range}`,
      description,
    },
    extras,
  );
}

/** Any text. */
export function text(
  defaultValue: string,
  description: string,
  extras?: OptionExtras<string>,
): OptionSchema<string> {
  const expected = 'text (put it in quotes where it looks like a number)';
  return option({ kind: 'text', inner: z.string(), defaultValue, expected, description }, extras);
}

/** One of a few words; the empty word, where it is one of them, is the default behaviour. */
export function choice<const Word extends string>(
  words: readonly [Word, ...Word[]],
  description: string,
  extras: OptionExtras<Word> & { readonly defaultValue?: NoInfer<Word> } = {},
): OptionSchema<Word> {
  const expected = `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`;
  return option<Word>(
    {
      kind: 'choice',
      inner: z.enum(words),
      defaultValue: extras.defaultValue ?? words[0],
      expected,
      description,
    },
    extras,
  );
}

export interface DurationExtras extends OptionExtras<Duration> {
  /** `-1` is allowed and switches the thing off, as `0` does. */
  readonly canBeOff?: boolean;
  /** Shortest that can work, in milliseconds. @defaultValue 0 */
  readonly minMs?: number;
}

/** A length of time: `300s`, `1m30s`, `720h`. */
export function duration(
  defaultValue: string,
  description: string,
  extras: DurationExtras = {},
): OptionSchema<Duration> {
  const parsed = Duration.parse(defaultValue);
  if (parsed === undefined) throw new TypeError(`${defaultValue} is not a duration`);
  const { minMs = 0 } = extras;
  const inner = z.custom<Duration>(
    (value) => value instanceof Duration && (value.ms >= minMs || extras.canBeOff === true),
  );
  const atLeast = minMs === 0 ? '' : `, ${new Duration(minMs).toString()} or more`;
  const expected = `a duration with its unit, such as "500ms", "25s", "1m30s" or "720h", in whole milliseconds${atLeast}`;
  return option({ kind: 'duration', inner, defaultValue: parsed, expected, description }, extras);
}

/** Several texts; as one string they are separated by spaces. */
export function textList<const Item extends string = string>(
  description: string,
  extras: OptionExtras<readonly Item[]> & { readonly words?: readonly [Item, ...Item[]] } = {},
): OptionSchema<readonly Item[]> {
  const { words } = extras;
  const item = (words === undefined ? z.string() : z.enum(words)) as unknown as z.ZodType<Item>;
  const expected =
    words === undefined
      ? 'a list of texts'
      : `a list of ${words.map((word) => `"${word}"`).join(', ')}`;
  return option<readonly Item[]>(
    {
      kind: 'textList',
      inner: z.array(item).readonly(),
      defaultValue: [],
      expected,
      description,
    },
    extras,
  );
}

/** Text that is never printed. Empty by default: nothing is a safe default for a secret. */
export function secret(description: string, extras?: OptionExtras<Secret>): OptionSchema<Secret> {
  return option(
    {
      kind: 'secret',
      inner: z.instanceof(Secret),
      defaultValue: new Secret(''),
      expected: 'text (put it in quotes where it looks like a number)',
      description,
    },
    extras,
  );
}

/** Texts by name whose values are never printed, such as headers that authenticate. */
export function secretMap(
  description: string,
  extras?: OptionExtras<Readonly<Record<string, Secret>>>,
): OptionSchema<Readonly<Record<string, Secret>>> {
  return option(
    {
      kind: 'secretMap',
      inner: z.record(z.string(), z.instanceof(Secret)).readonly(),
      defaultValue: {},
      expected: 'an object of texts',
      description,
    },
    extras,
  );
}

type Shape = Readonly<Record<string, z.ZodType>>;

/** What a section's options become. */
export type SectionValue<S extends Shape> = Readonly<{ [Key in keyof S]: z.output<S[Key]> }>;

function sectionNode(description: string, shape: Shape): SectionNode {
  const children = Object.fromEntries(
    Object.entries(shape).map(([key, schema]) => [key, nodeOf(schema)]),
  );
  return { type: 'section', description, children };
}

/** A group of options. Absent, it is made of its options' defaults. */
export function section<S extends Shape>(
  description: string,
  shape: S,
): OptionSchema<SectionValue<S>> {
  const schema = z
    .object(shape)
    .readonly()
    .prefault({} as never);
  nodes.add(schema, { node: sectionNode(description, shape) });
  return schema as unknown as OptionSchema<SectionValue<S>>;
}

/** A list of sections; when they have a `name`, it tells them apart. Empty by default. */
export function sectionList<S extends Shape>(
  description: string,
  shape: S,
): OptionSchema<readonly SectionValue<S>[]> {
  const schema = z.array(z.object(shape).readonly()).readonly().default([]);
  nodes.add(schema, {
    node: {
      type: 'list',
      description,
      named: 'name' in shape,
      element: sectionNode(description, shape),
    },
  });
  return schema as unknown as OptionSchema<readonly SectionValue<S>[]>;
}
