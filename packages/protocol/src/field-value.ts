import { ProtocolError } from './codec.ts';
import {
  type FieldSchema,
  type IntegerType,
  type MessageSchema,
  integerRanges,
  maxSelfNesting,
} from './schema.ts';

/** A message while it is being built. Its keys come from the schema only, never from the peer. */
export type MutableMessage = Record<string, unknown>;

/** A map field while it is being built: its keys come from the peer, so it has no prototype. */
export type MutableMap = Record<string, unknown>;

export function createMap(): MutableMap {
  return Object.create(null) as MutableMap;
}

/** Whether a value is the one that its absence means. A message never is: it is there or not. */
export function isZero(field: FieldSchema, value: unknown): boolean {
  if (field.rule === 'repeated') return Array.isArray(value) && value.length === 0;
  if (field.rule === 'map') {
    return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  }
  if (field.type === 'bytes') return (value as Uint8Array).length === 0;
  return value === '' || value === 0 || value === false;
}

/** The value that an absent field stands for. */
function zeroOf(field: FieldSchema): unknown {
  if (field.rule === 'repeated') return [];
  return field.rule === 'map' ? createMap() : zeroItem(field);
}

/** The value that an absent single value stands for, or the absent value of a map's entry. */
export function zeroItem(field: FieldSchema): unknown {
  switch (field.type) {
    case 'message':
      return addAlwaysPresent(field.message, {});
    case 'string':
      return '';
    case 'bool':
      return false;
    case 'bytes':
      return new Uint8Array();
    case 'uint32':
    case 'int32':
    case 'uint64':
    case 'int64':
    case 'sint64':
      return 0;
  }
}

/** Completes a decoded message with the fields that the model promises. */
export function addAlwaysPresent(schema: MessageSchema, message: MutableMessage): MutableMessage {
  for (const field of schema.alwaysPresent) {
    if (message[field.name] === undefined) message[field.name] = zeroOf(field);
  }
  return message;
}

// The types of the model are gone at run time. A wrong value that an untyped caller passes must fail
// at its sender, not at every receiver; so both directions check.

/** @throws ProtocolError `wrong_type` */
export function checkInteger(field: FieldSchema, value: unknown): number {
  const [min, max] = integerRanges[field.type as IntegerType];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw wrongType(field);
  }
  return value;
}

/** @throws ProtocolError `wrong_type` */
export function checkString(field: FieldSchema, value: unknown): string {
  if (typeof value !== 'string') throw wrongType(field);
  return value;
}

/** @throws ProtocolError `wrong_type` */
export function checkBoolean(field: FieldSchema, value: unknown): boolean {
  if (typeof value !== 'boolean') throw wrongType(field);
  return value;
}

/** @throws ProtocolError `wrong_type` */
export function checkBytes(field: FieldSchema, value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType(field);
  return value;
}

/** @throws ProtocolError `wrong_type` */
export function checkList(field: FieldSchema, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongType(field);
  return value;
}

/** @throws ProtocolError `wrong_type` */
export function checkObject(field: FieldSchema, value: unknown): object {
  if (typeof value !== 'object' || value === null) throw wrongType(field);
  return value;
}

const expectations: Readonly<Record<FieldSchema['type'], string>> = {
  string: 'a string',
  bool: 'a boolean',
  bytes: 'application data',
  message: 'an object',
  uint32: `an integer from 0 to ${integerRanges.uint32[1]}`,
  int32: `an integer from ${integerRanges.int32.join(' to ')}`,
  uint64: `an integer from 0 to ${integerRanges.uint64[1]}`,
  int64: `an integer from ${integerRanges.int64.join(' to ')}`,
  sint64: `an integer from ${integerRanges.sint64.join(' to ')}`,
};

export function wrongType(field: FieldSchema): ProtocolError {
  const expected = expectations[field.type];
  const whole = {
    single: expected,
    repeated: `a list, each ${expected}`,
    map: `a map, each ${expected}`,
  };
  return new ProtocolError('wrong_type', `${field.path} must be ${whole[field.rule]}`);
}

export function tooDeep(field: FieldSchema): ProtocolError {
  return new ProtocolError('too_deep', `${field.path} is nested more than ${maxSelfNesting} deep`);
}
