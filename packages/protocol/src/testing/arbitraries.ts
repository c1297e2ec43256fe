import * as fc from 'fast-check';
import type { Command, EmulationRequest, Push, Reply } from '../model.ts';
import {
  type FieldSchema,
  type MessageName,
  type MessageSchema,
  type ScalarType,
  integerRanges,
  schemas,
} from '../schema.ts';

/** Names that break code which uses them as keys of ordinary objects. */
const poisonousNames = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '1', ''];

const names = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...poisonousNames));

/** JSON as text, with what a parser would lose: precision, duplicate keys, order. */
const payloads: fc.Arbitrary<Uint8Array> = fc
  .oneof(
    fc.json({ maxDepth: 3 }),
    fc.constantFrom(
      '9007199254740993',
      '-1.50e+400',
      '{"b":1,"a":2,"b":{"c":[]}}',
      '"\\ud800"',
      '"{\\"\\\\"',
      'null',
    ),
  )
  .map((text) => new TextEncoder().encode(text));

const nonZero = (value: unknown): boolean => value !== 0 && value !== '' && value !== false;

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  if (type === 'string') return names;
  if (type === 'bool') return fc.boolean();
  if (type === 'bytes') return payloads;
  const [min, max] = integerRanges[type];
  return fc.oneof(
    fc.maxSafeInteger().map((value) => Math.min(max, Math.max(min, value))),
    fc.integer({ min: Math.max(min, -300), max: 300 }),
    fc.constantFrom(min, max),
  );
}

function item(field: FieldSchema, depth: number): fc.Arbitrary<unknown> {
  return field.type === 'message' ? message(field.message, depth + 1) : scalar(field.type);
}

/** Present values only: what is zero is absent, unless it is always present. */
function value(field: FieldSchema, depth: number): fc.Arbitrary<unknown> {
  const minLength = field.isAlwaysPresent ? 0 : 1;
  if (field.rule === 'repeated') return fc.array(item(field, depth), { minLength, maxLength: 3 });
  if (field.rule === 'map') {
    return fc
      .uniqueArray(fc.tuple(names, item(field, depth)), {
        minLength,
        maxLength: 3,
        selector: ([name]) => name,
      })
      .map((entries) => {
        const map = Object.create(null) as Record<string, unknown>;
        for (const [name, entry] of entries) map[name] = entry;
        return map;
      });
  }
  const single = item(field, depth);
  return field.isAlwaysPresent || field.type === 'message' ? single : single.filter(nonZero);
}

function message(schema: MessageSchema, depth: number): fc.Arbitrary<object> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of schema.fields) {
    if (depth < 4 || field.type !== 'message') members[field.name] = value(field, depth);
  }
  return fc.record(members, {
    requiredKeys: schema.alwaysPresent.map((field) => field.name),
  });
}

function arbitrary<Message extends object>(name: MessageName): fc.Arbitrary<Message> {
  return message(schemas[name], 0) as fc.Arbitrary<Message>;
}

/**
 * Messages with any of their fields, as a decoder returns them: nothing that is zero except what is
 * always present. Application data is JSON, so that both formats can carry it.
 */
export const arbitraryCommand: fc.Arbitrary<Command> = arbitrary('Command');
/** As {@link arbitraryCommand}. */
export const arbitraryReply: fc.Arbitrary<Reply> = arbitrary('Reply');
/** As {@link arbitraryCommand}. */
export const arbitraryPush: fc.Arbitrary<Push> = arbitrary('Push');

/** Bodies of `POST /emulation`; their data is text, of any kind. */
export const arbitraryEmulation: fc.Arbitrary<EmulationRequest> = fc.record(
  {
    node: names.filter(nonZero),
    session: names.filter(nonZero),
    data: fc.string({ unit: 'binary', minLength: 1 }).map((text) => new TextEncoder().encode(text)),
  },
  { requiredKeys: [] },
);
