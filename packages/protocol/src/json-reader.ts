import { ProtocolError } from './codec.ts';
import {
  type MutableMap,
  type MutableMessage,
  addAlwaysPresent,
  checkInteger,
  createMap,
  tooDeep,
  wrongType,
} from './field-value.ts';
import {
  skipSeparator,
  skipSpace,
  skipString,
  skipValue,
  withoutLineBreaks,
} from './json-scanner.ts';
import { type FieldSchema, type MessageSchema, maxSelfNesting } from './schema.ts';
import { encodeUtf8 } from './utf8.ts';

/**
 * Reads one message out of JSON text. The whole text is checked first by the native parser, which is
 * the fastest there is and does not recurse; the reader then walks the text once along the schema,
 * because application data has to keep its own text and a parsed value has lost it.
 *
 * As with the native parser the last of duplicate keys wins. Unknown fields are skipped. `null` is an
 * absent field, except where it is application data. What is read keeps no reference to the text.
 * @throws ProtocolError `malformed`, `wrong_type`, `too_deep`
 */
export function readJson(schema: MessageSchema, text: string): object {
  try {
    JSON.parse(text);
  } catch {
    // The native error quotes the text, which may hold tokens.
    throw new ProtocolError('malformed', `${schema.name} is not valid JSON`);
  }
  return new JsonReader(text).read(schema);
}

const quote = 0x22;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const letterF = 0x66;
const letterN = 0x6e;
const letterT = 0x74;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Trusts that its text is one valid JSON value; always stands at the beginning of a token. */
class JsonReader {
  readonly #text: string;
  #position: number;

  constructor(text: string) {
    this.#text = text;
    this.#position = skipSpace(text, 0);
  }

  read(schema: MessageSchema): object {
    if (this.#token() !== openBrace) {
      throw new ProtocolError('wrong_type', `${schema.name} must be an object`);
    }
    return this.#message(schema, 1);
  }

  #message(schema: MessageSchema, selfNesting: number): MutableMessage {
    const message: MutableMessage = {};
    this.#enter();
    while (this.#token() !== closeBrace) {
      const field = schema.fieldsByName.get(this.#fieldName());
      if (field === undefined) {
        this.#skip();
      } else if (this.#token() === letterN && field.type !== 'bytes') {
        this.#skip();
        // An earlier duplicate of the key loses against `null` as against any other value.
        delete message[field.name];
      } else {
        message[field.name] = this.#field(field, field.message === schema ? selfNesting + 1 : 1);
      }
      this.#position = skipSeparator(this.#text, this.#position);
    }
    this.#position += 1;
    return addAlwaysPresent(schema, message);
  }

  #field(field: FieldSchema, selfNesting: number): unknown {
    switch (field.rule) {
      case 'single':
        return this.#value(field, selfNesting);
      case 'repeated':
        return this.#list(field, selfNesting);
      case 'map':
        return this.#map(field, selfNesting);
    }
  }

  #list(field: FieldSchema, selfNesting: number): unknown[] {
    if (this.#token() !== openBracket) throw wrongType(field);
    const items: unknown[] = [];
    this.#enter();
    while (this.#token() !== closeBracket) {
      items.push(this.#value(field, selfNesting));
      this.#position = skipSeparator(this.#text, this.#position);
    }
    this.#position += 1;
    return items;
  }

  #map(field: FieldSchema, selfNesting: number): MutableMap {
    if (this.#token() !== openBrace) throw wrongType(field);
    const map = createMap();
    this.#enter();
    while (this.#token() !== closeBrace) {
      const key = this.#string();
      this.#position = skipSpace(this.#text, skipSpace(this.#text, this.#position) + 1);
      map[key] = this.#value(field, selfNesting);
      this.#position = skipSeparator(this.#text, this.#position);
    }
    this.#position += 1;
    return map;
  }

  #value(field: FieldSchema, selfNesting: number): unknown {
    const token = this.#token();
    switch (field.type) {
      case 'message':
        if (token !== openBrace) throw wrongType(field);
        if (selfNesting > maxSelfNesting) throw tooDeep(field);
        return this.#message(field.message, selfNesting);
      case 'bytes':
        return encodeUtf8(withoutLineBreaks(this.#skip()));
      case 'string':
        if (token !== quote) throw wrongType(field);
        return this.#string();
      case 'bool':
        if (token !== letterT && token !== letterF) throw wrongType(field);
        this.#skip();
        return token === letterT;
      case 'uint32':
      case 'int32':
      case 'uint64':
      case 'int64':
      case 'sint64': {
        const digits = this.#skip();
        // No fractions and no exponents, though some of them are integers: `1e3` is a bug elsewhere.
        if (!/^-?\d+$/.test(digits)) throw wrongType(field);
        // Adding zero turns -0, which only JSON has, into 0.
        return checkInteger(field, Number(digits) + 0);
      }
    }
  }

  #token(): number {
    return this.#text.charCodeAt(this.#position);
  }

  /** Steps over the opening bracket. */
  #enter(): void {
    this.#position = skipSpace(this.#text, this.#position + 1);
  }

  /** Steps over a value; returns its text. */
  #skip(): string {
    const start = this.#position;
    this.#position = skipValue(this.#text, start);
    return this.#text.slice(start, this.#position);
  }

  /** Steps over a key and its colon. The name is only to be looked up. */
  #fieldName(): string {
    const text = this.#text;
    const start = this.#position;
    const end = skipString(text, start);
    this.#position = skipSpace(text, skipSpace(text, end) + 1);
    const name = text.slice(start + 1, end - 1);
    return name.includes('\\') ? (JSON.parse(`"${name}"`) as string) : name;
  }

  #string(): string {
    const start = this.#position;
    this.#position = skipString(this.#text, start);
    // Parsed and not cut out, also where nothing is escaped: a cut string keeps the whole text alive,
    // and channel names live as long as their subscriptions.
    return JSON.parse(this.#text.slice(start, this.#position)) as string;
  }
}
