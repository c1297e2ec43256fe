import { ProtocolError } from './codec.ts';
import {
  checkBoolean,
  checkBytes,
  checkInteger,
  checkObject,
  checkString,
  isZero,
} from './field-value.ts';
import type { FieldSchema, MessageSchema } from './schema.ts';
import { decodeUtf8 } from './utf8.ts';

/**
 * Writes one message as JSON text on one line. Fields that are zero are left out unless the schema
 * says otherwise; a message that is present is written even when it is empty.
 * @throws ProtocolError `payload_not_json` for application data that is not JSON; `wrong_type` for a
 * value that the field cannot carry.
 */
export function writeJson(schema: MessageSchema, message: object): string {
  const values = message as Readonly<Record<string, unknown>>;
  let text = '{';
  for (const field of schema.fields) {
    const value = values[field.name] ?? undefined;
    if (value === undefined) {
      if (field.isAlwaysPresent) text += separator(text) + key(field) + zeroJson(field);
    } else if (field.isAlwaysPresent || !isZero(field, value)) {
      text += separator(text) + key(field) + writeField(field, value);
    }
  }
  return `${text}}`;
}

function separator(text: string): string {
  return text.length === 1 ? '' : ',';
}

/** Field names are plain ASCII words and need no escaping. */
function key(field: FieldSchema): string {
  return `"${field.name}":`;
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
  let text = '';
  if (field.rule === 'repeated') {
    for (const item of value as readonly unknown[]) {
      text += (text === '' ? '' : ',') + writeValue(field, item);
    }
    return `[${text}]`;
  }
  for (const [name, item] of Object.entries(value as object)) {
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${writeValue(field, item)}`;
  }
  return `{${text}}`;
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

const lineBreaks = /[\r\n]+/g;

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
  // Line breaks separate messages. Valid JSON has them only between tokens, where they mean nothing.
  return text.includes('\n') || text.includes('\r') ? text.replace(lineBreaks, '') : text;
}
