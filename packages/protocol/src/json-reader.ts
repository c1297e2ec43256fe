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
import { type FieldSchema, type MessageSchema, maxSelfNesting } from './schema.ts';
import { encodeUtf8 } from './utf8.ts';

/**
 * Reads one message out of JSON text. The whole text is checked first by the native parser, which is
 * the fastest there is and does not recurse; the reader then walks the text once along the schema,
 * because application data has to keep its own text and a parsed value has lost it.
 *
 * As with the native parser the last of duplicate keys wins. Unknown fields are skipped, `null` is
 * an absent field.
 * @throws ProtocolError `malformed`, `wrong_type`, `too_deep`
 */
export function readJson(schema: MessageSchema, text: string): object {
  try {
    JSON.parse(text);
  } catch {
    // The native error quotes the text, which may hold tokens.
    throw new ProtocolError('malformed', `${schema.name} is not valid JSON`);
  }
  return new JsonReader(text).readRoot(schema);
}

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const letterF = 0x66;
const letterN = 0x6e;
const letterT = 0x74;

/** Trusts that its text is one valid JSON value. */
class JsonReader {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readRoot(schema: MessageSchema): object {
    if (this.#peek() !== openBrace) {
      throw new ProtocolError('wrong_type', `${schema.name} must be an object`);
    }
    return this.#message(schema, 1);
  }

  #message(schema: MessageSchema, selfNesting: number): MutableMessage {
    const message: MutableMessage = {};
    this.#position += 1;
    while (this.#peek() !== closeBrace) {
      const name = this.#key();
      const field = schema.fieldsByName.get(name);
      if (field === undefined) {
        this.#skipValue();
      } else if (this.#peek() === letterN) {
        this.#skipValue();
        // An earlier duplicate of this key loses against `null` as against any other value.
        delete message[name];
      } else {
        message[name] = this.#field(field, field.message === schema ? selfNesting + 1 : 1);
      }
      if (this.#peek() === comma) this.#position += 1;
    }
    this.#position += 1;
    return addAlwaysPresent(schema, message);
  }

  #field(field: FieldSchema, selfNesting: number): unknown {
    if (field.rule === 'single') return this.#value(field, selfNesting);
    if (field.rule === 'repeated') {
      if (this.#peek() !== openBracket) throw wrongType(field);
      this.#position += 1;
      const items: unknown[] = [];
      while (this.#peek() !== closeBracket) {
        items.push(this.#value(field, selfNesting));
        if (this.#peek() === comma) this.#position += 1;
      }
      this.#position += 1;
      return items;
    }
    if (this.#peek() !== openBrace) throw wrongType(field);
    this.#position += 1;
    const map: MutableMap = createMap();
    while (this.#peek() !== closeBrace) {
      const name = this.#key();
      if (this.#peek() === letterN) {
        this.#skipValue();
        delete map[name];
      } else {
        map[name] = this.#value(field, selfNesting);
      }
      if (this.#peek() === comma) this.#position += 1;
    }
    this.#position += 1;
    return map;
  }

  #value(field: FieldSchema, selfNesting: number): unknown {
    const first = this.#peek();
    switch (field.type) {
      case 'message':
        if (first !== openBrace) throw wrongType(field);
        if (selfNesting > maxSelfNesting) throw tooDeep(field);
        return this.#message(field.message, selfNesting);
      case 'bytes':
        return encodeUtf8(this.#payloadText());
      case 'string':
        if (first !== quote) throw wrongType(field);
        return this.#string();
      case 'bool':
        if (first !== letterT && first !== letterF) throw wrongType(field);
        this.#skipValue();
        return first === letterT;
      case 'uint32':
      case 'int32':
      case 'uint64':
      case 'int64':
      case 'sint64':
        return this.#integer(field);
    }
  }

  #integer(field: FieldSchema): number {
    const start = this.#position;
    this.#skipValue();
    const text = this.#text.slice(start, this.#position);
    if (!/^-?\d+$/.test(text)) throw wrongType(field);
    // Adding zero turns -0, which no other format has, into 0.
    return checkInteger(field, Number(text) + 0);
  }

  #payloadText(): string {
    const start = this.#position;
    this.#skipValue();
    const text = this.#text.slice(start, this.#position);
    // Line breaks can only stand between tokens here, and would end the message when it is sent on.
    return text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]+/g, '') : text;
  }

  #key(): string {
    this.#peek();
    const name = this.#string();
    this.#peek();
    this.#position += 1;
    return name;
  }

  #string(): string {
    const start = this.#position;
    this.#skipString();
    // Parsed and not cut out, also where it has no escapes: a cut string keeps the whole text alive,
    // and channel names live as long as the connection.
    return JSON.parse(this.#text.slice(start, this.#position)) as string;
  }

  /** Skips white space; returns the character that follows. */
  #peek(): number {
    let code = this.#text.charCodeAt(this.#position);
    while (code <= 0x20) {
      this.#position += 1;
      code = this.#text.charCodeAt(this.#position);
    }
    return code;
  }

  #skipString(): void {
    const text = this.#text;
    let position = this.#position + 1;
    let code = text.charCodeAt(position);
    while (code !== quote) {
      position += code === backslash ? 2 : 1;
      code = text.charCodeAt(position);
    }
    this.#position = position + 1;
  }

  /** Without recursion, so that no nesting depth can exhaust the stack. */
  #skipValue(): void {
    const text = this.#text;
    let depth = 0;
    do {
      const code = this.#peek();
      if (code === quote) {
        this.#skipString();
      } else if (code === openBrace || code === openBracket) {
        depth += 1;
        this.#position += 1;
      } else if (code === closeBrace || code === closeBracket) {
        depth -= 1;
        this.#position += 1;
      } else {
        this.#position += 1;
        if (depth === 0) this.#skipLiteral(text);
      }
    } while (depth > 0);
  }

  /** A number, `true`, `false` or `null` ends where white space, a comma or a bracket begins. */
  #skipLiteral(text: string): void {
    let code = text.charCodeAt(this.#position);
    while (code > 0x20 && code !== comma && code !== closeBrace && code !== closeBracket) {
      this.#position += 1;
      code = text.charCodeAt(this.#position);
    }
  }
}
