import { ProtocolError } from './codec.ts';
import {
  checkBoolean,
  checkBytes,
  checkInteger,
  checkList,
  checkObject,
  checkString,
  isZero,
} from './field-value.ts';
import { withoutLineBreaks } from './json-scanner.ts';
import type { FieldSchema, MessageSchema } from './schema.ts';
import { encodingsOf } from './shared-list.ts';
import { decodeUtf8 } from './utf8.ts';

/**
 * Writes one message as JSON text on one line, fields in the order of the object. Fields that are
 * zero are left out unless the schema says otherwise; a message that is present is written even when
 * it is empty.
 *
 * Walks what the message has and not what the schema has: messages have few of their fields, and
 * looking for the others costs more than all the rest.
 * @throws ProtocolError `payload_not_json` for application data that is not JSON; `wrong_type` for a
 * value that the field cannot carry.
 */
export function writeJson(schema: MessageSchema, message: object): string {
  const values = message as Readonly<Record<string, unknown>>;
  let members = '';
  for (const name of Object.keys(values)) {
    const field = schema.fieldsByName.get(name);
    const value = values[name] ?? undefined;
    if (field === undefined || value === undefined) continue;
    if (field.isAlwaysPresent || !isZero(field, value)) {
      members += `${members === '' ? '' : ','}"${name}":${writeField(field, value)}`;
    }
  }
  for (const field of schema.alwaysPresent) {
    if ((values[field.name] ?? undefined) === undefined) {
      members += `${members === '' ? '' : ','}"${field.name}":${zeroJson(field)}`;
    }
  }
  return `{${members}}`;
}

function zeroJson(field: FieldSchema): string {
  if (field.rule === 'repeated') return '[]';
  if (field.rule === 'map') return '{}';
  if (field.type === 'string') return '""';
  if (field.message !== undefined) return writeJson(field.message, {});
  return '0';
}

function writeField(field: FieldSchema, value: unknown): string {
  if (field.rule === 'single') return writeValue(field, value);
  if (field.rule === 'repeated') return writeList(field, checkList(field, value));
  let text = '';
  for (const [name, item] of Object.entries(checkObject(field, value))) {
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${writeValue(field, item)}`;
  }
  return `{${text}}`;
}

function writeList(field: FieldSchema, list: readonly unknown[]): string {
  const shared = encodingsOf(list, field);
  if (shared?.json !== undefined) return shared.json;
  let items = '';
  for (const item of list) items += (items === '' ? '' : ',') + writeValue(field, item);
  const text = `[${items}]`;
  if (shared !== undefined) shared.json = text;
  return text;
}

function writeValue(field: FieldSchema, value: unknown): string {
  switch (field.type) {
    case 'message':
      return writeJson(field.message, checkObject(field, value));
    case 'bytes':
      return payloadText(field, checkBytes(field, value));
    case 'string':
      // Escapes lone surrogates too, which UTF-8 could not carry.
      return JSON.stringify(checkString(field, value));
    case 'bool':
      return String(checkBoolean(field, value));
    case 'uint32':
    case 'int32':
    case 'uint64':
    case 'int64':
    case 'sint64':
      return String(checkInteger(field, value));
  }
}

/** The payload's own text, so that number precision, key order and duplicate keys survive. */
function payloadText(field: FieldSchema, bytes: Uint8Array): string {
  let text: string;
  try {
    text = decodeUtf8(bytes);
    JSON.parse(text);
  } catch {
    throw new ProtocolError(
      'payload_not_json',
      `${field.path} holds ${bytes.length} bytes that are not JSON; a JSON client cannot get them`,
    );
  }
  return withoutLineBreaks(text);
}
