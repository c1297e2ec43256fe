import { ProtocolError } from './codec.ts';
import {
  type MutableMap,
  type MutableMessage,
  addAlwaysPresent,
  checkInteger,
  createMap,
  tooDeep,
  wrongType,
  zeroItem,
} from './field-value.ts';
import { type FieldSchema, type MessageSchema, maxSelfNesting, wireTypes } from './schema.ts';
import { decodeUtf8 } from './utf8.ts';

/** A length prefix has at most this many bytes: what 32 bits need. */
export const maxPrefixBytes = 5;

/**
 * Reads messages in the Protobuf encoding out of bytes that it trusts in nothing. Unknown fields are
 * skipped; of a single field that comes twice the last one wins, as in JSON. Groups, which no
 * version of the protocol has used, are refused. What is read shares no memory with the bytes.
 * @throws ProtocolError `malformed`, `wrong_type`, `too_deep`
 */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #position = 0;
  /** Where the innermost message that is being read ends. */
  #end: number;
  /** The two halves of the last varint. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#end;
  }

  /** Reads everything that is left as one message. */
  read(schema: MessageSchema): object {
    return this.#message(schema, 1);
  }

  /** Reads a message with its length in front. */
  readDelimited(schema: MessageSchema): object {
    const start = this.#position;
    const end = this.#delimitedEnd();
    if (this.#position - start > maxPrefixBytes) throw malformed('a length prefix is too long');
    this.#end = end;
    const message = this.#message(schema, 1);
    this.#end = this.#bytes.length;
    return message;
  }

  /** Reads until the end of the innermost message. */
  #message(schema: MessageSchema, selfNesting: number): MutableMessage {
    const message: MutableMessage = {};
    while (this.#position < this.#end) {
      const tag = this.#tag();
      const field = schema.fieldsByNumber[tag >>> 3];
      if (field === undefined) {
        this.#skip(tag & 7);
        continue;
      }
      if ((tag & 7) !== (field.rule === 'map' ? wireTypes.delimited : field.wireType))
        throw wrongType(field);
      const nesting = field.message === schema ? selfNesting + 1 : 1;
      if (field.rule === 'single') {
        message[field.name] = this.#value(field, nesting);
      } else if (field.rule === 'repeated') {
        const items = (message[field.name] ??= []) as unknown[];
        items.push(this.#value(field, nesting));
      } else {
        this.#mapEntry(field, (message[field.name] ??= createMap()) as MutableMap);
      }
    }
    return addAlwaysPresent(schema, message);
  }

  #value(field: FieldSchema, selfNesting: number): unknown {
    switch (field.type) {
      case 'message': {
        if (selfNesting > maxSelfNesting) throw tooDeep(field);
        const outerEnd = this.#end;
        this.#end = this.#delimitedEnd();
        const message = this.#message(field.message, selfNesting);
        this.#end = outerEnd;
        return message;
      }
      case 'bytes': {
        const end = this.#delimitedEnd();
        const bytes = new Uint8Array(this.#bytes.subarray(this.#position, end));
        this.#position = end;
        return bytes;
      }
      case 'string':
        return this.#string();
      case 'bool':
        this.#varint();
        return this.#low !== 0 || this.#high !== 0;
      case 'uint32':
      case 'uint64':
        this.#varint();
        return checkInteger(field, this.#high * 2 ** 32 + this.#low);
      case 'int32':
      case 'int64':
        this.#varint();
        return checkInteger(field, (this.#high | 0) * 2 ** 32 + this.#low);
      case 'sint64':
        this.#varint();
        return checkInteger(field, this.#unzigzag());
    }
  }

  /** A map travels as a repeated message of key 1 and value 2, either of which may be left out. */
  #mapEntry(field: FieldSchema, map: MutableMap): void {
    const outerEnd = this.#end;
    this.#end = this.#delimitedEnd();
    let key = '';
    let value: unknown;
    while (this.#position < this.#end) {
      const tag = this.#tag();
      if (tag >>> 3 === 1) {
        if ((tag & 7) !== wireTypes.delimited) throw wrongType(field);
        key = this.#string();
      } else if (tag >>> 3 === 2) {
        if ((tag & 7) !== field.wireType) throw wrongType(field);
        value = this.#value(field, 1);
      } else {
        this.#skip(tag & 7);
      }
    }
    this.#end = outerEnd;
    map[key] = value ?? zeroItem(field);
  }

  #string(): string {
    const end = this.#delimitedEnd();
    const bytes = this.#bytes;
    const start = this.#position;
    this.#position = end;
    return decodeUtf8(bytes.subarray(start, end));
  }

  #tag(): number {
    this.#varint();
    if (this.#high !== 0 || this.#low < 8) throw malformed('a field number is out of range');
    return this.#low;
  }

  /** Reads a length; returns where what it measures ends. */
  #delimitedEnd(): number {
    this.#varint();
    const end = this.#position + this.#high * 2 ** 32 + this.#low;
    if (end > this.#end) throw malformed('a length leads beyond the end');
    return end;
  }

  #skip(wireType: number): void {
    if (wireType === wireTypes.varint) {
      this.#varint();
    } else if (wireType === wireTypes.delimited) {
      this.#position = this.#delimitedEnd();
    } else if (wireType === wireTypes.fixed32 || wireType === wireTypes.fixed64) {
      this.#position += wireType === wireTypes.fixed32 ? 4 : 8;
      if (this.#position > this.#end) throw malformed('a number is cut off');
    } else {
      throw malformed(`wire type ${wireType} is not in use`);
    }
  }

  #varint(): void {
    const bytes = this.#bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#position >= this.#end) throw malformed('a number is cut off');
      const byte = bytes[this.#position] ?? 0;
      this.#position += 1;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift > 28) high |= bits << (shift - 32);
      else {
        low |= bits << 28;
        high = bits >>> 4;
      }
      if (byte < 0x80) {
        if (shift === 63 && byte > 1) break;
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw malformed('a number has more than 64 bits');
  }

  /** As a JS number; beyond 2^53 it is rounded, but never to one that would pass as exact. */
  #unzigzag(): number {
    const sign = -(this.#low & 1);
    const low = (((this.#low >>> 1) | (this.#high << 31)) ^ sign) >>> 0;
    const high = (this.#high >>> 1) ^ sign;
    return high * 2 ** 32 + low;
  }
}

function malformed(what: string): ProtocolError {
  return new ProtocolError('malformed', `message is not valid Protobuf: ${what}`);
}
