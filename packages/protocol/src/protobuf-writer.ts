import {
  checkBoolean,
  checkBytes,
  checkInteger,
  checkList,
  checkObject,
  checkString,
  isZero,
} from './field-value.ts';
import { type FieldSchema, type MessageSchema, wireTypes } from './schema.ts';
import { encodingsOf } from './shared-list.ts';
import { encodeUtf8 } from './utf8.ts';

const initialCapacity = 4096;
/** A buffer that a huge message has grown is not kept for the small ones that follow. */
const maxKeptCapacity = 256 * 1024;

/**
 * Writes messages in the Protobuf encoding, fields in the order of the object. One writer serves all: encoding never yields, and what
 * it returns is a copy.
 *
 * A nested message's length goes in front of it and is known after it. One byte is left free for it,
 * and the rare message of more than 127 bytes is moved by what its length needs more.
 */
export class ProtobufWriter {
  #bytes = new Uint8Array(initialCapacity);
  #length = 0;

  /** @throws ProtocolError `wrong_type` for a value that the field cannot carry. */
  write(schema: MessageSchema, message: object): Uint8Array {
    this.#length = 0;
    this.#message(schema, message);
    return this.#take();
  }

  /** As {@link write}, with the length of the message in front. */
  writeDelimited(schema: MessageSchema, message: object): Uint8Array {
    this.#length = 0;
    this.#delimitedMessage(schema, message);
    return this.#take();
  }

  #take(): Uint8Array {
    const taken = new Uint8Array(this.#bytes.subarray(0, this.#length));
    if (this.#bytes.length > maxKeptCapacity) this.#bytes = new Uint8Array(initialCapacity);
    return taken;
  }

  #message(schema: MessageSchema, message: object): void {
    const values = message as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(values)) {
      const field = schema.fieldsByName.get(name);
      const value = values[name] ?? undefined;
      if (field === undefined || value === undefined || isZero(field, value)) continue;
      this.#field(field, value);
    }
  }

  #delimitedMessage(schema: MessageSchema, message: object): void {
    const start = this.#beginDelimited();
    this.#message(schema, message);
    this.#endDelimited(start);
  }

  #field(field: FieldSchema, value: unknown): void {
    if (field.rule === 'single') {
      this.#taggedValue(field, field.number, value);
    } else if (field.rule === 'repeated') {
      this.#list(field, checkList(field, value));
    } else {
      for (const [key, item] of Object.entries(checkObject(field, value))) {
        this.#tag(field.number, wireTypes.delimited);
        const start = this.#beginDelimited();
        this.#tag(1, wireTypes.delimited);
        this.#string(key);
        this.#taggedValue(field, 2, item);
        this.#endDelimited(start);
      }
    }
  }

  #list(field: FieldSchema, list: readonly unknown[]): void {
    const shared = encodingsOf(list, field);
    if (shared?.protobuf !== undefined) {
      this.#raw(shared.protobuf);
      return;
    }
    const start = this.#length;
    for (const item of list) this.#taggedValue(field, field.number, item);
    if (shared !== undefined) shared.protobuf = this.#bytes.slice(start, this.#length);
  }

  #taggedValue(field: FieldSchema, number: number, value: unknown): void {
    switch (field.type) {
      case 'message':
        this.#tag(number, wireTypes.delimited);
        return this.#delimitedMessage(field.message, checkObject(field, value));
      case 'string':
        this.#tag(number, wireTypes.delimited);
        return this.#string(checkString(field, value));
      case 'bytes': {
        const bytes = checkBytes(field, value);
        this.#tag(number, wireTypes.delimited);
        this.#varint(bytes.length);
        return this.#raw(bytes);
      }
      case 'bool':
        this.#tag(number, wireTypes.varint);
        return this.#varint(checkBoolean(field, value) ? 1 : 0);
      case 'uint32':
      case 'int32':
      case 'uint64':
      case 'int64':
        this.#tag(number, wireTypes.varint);
        return this.#varint(checkInteger(field, value));
      case 'sint64':
        this.#tag(number, wireTypes.varint);
        return this.#zigzag(checkInteger(field, value));
    }
  }

  #tag(number: number, wireType: number): void {
    this.#varint(number * 8 + wireType);
  }

  #varint(value: number): void {
    this.#reserve(10);
    if (value >= 0 && value < 0x80) {
      this.#bytes[this.#length] = value;
      this.#length += 1;
    } else {
      this.#varint64(value >>> 0, Math.floor(value / 2 ** 32) >>> 0);
    }
  }

  /** Zigzag puts the sign into the lowest bit, so that small negative numbers stay short. */
  #zigzag(value: number): void {
    const low = value >>> 0;
    const high = Math.floor(value / 2 ** 32) >>> 0;
    const sign = value < 0 ? -1 : 0;
    this.#reserve(10);
    this.#varint64(((low << 1) ^ sign) >>> 0, (((high << 1) | (low >>> 31)) ^ sign) >>> 0);
  }

  /** The two halves of a 64-bit number in two's complement, seven bits to the byte. */
  #varint64(low: number, high: number): void {
    let lowBits = low;
    let highBits = high;
    while (highBits > 0 || lowBits > 0x7f) {
      this.#bytes[this.#length] = (lowBits & 0x7f) | 0x80;
      this.#length += 1;
      lowBits = ((lowBits >>> 7) | (highBits << 25)) >>> 0;
      highBits >>>= 7;
    }
    this.#bytes[this.#length] = lowBits;
    this.#length += 1;
  }

  #string(text: string): void {
    const { length } = text;
    const start = this.#length;
    if (length < 0x80) {
      this.#reserve(length + 1);
      const bytes = this.#bytes;
      bytes[start] = length;
      let index = 0;
      while (index < length) {
        const code = text.charCodeAt(index);
        if (code >= 0x80) break;
        index += 1;
        bytes[start + index] = code;
      }
      if (index === length) {
        this.#length = start + 1 + length;
        return;
      }
    }
    const bytes = encodeUtf8(text);
    this.#varint(bytes.length);
    this.#raw(bytes);
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #beginDelimited(): number {
    this.#reserve(1);
    this.#length += 1;
    return this.#length;
  }

  #endDelimited(start: number): void {
    const end = this.#length;
    const length = end - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    let prefixBytes = 1;
    for (let rest = length; rest > 0x7f; rest = Math.floor(rest / 0x80)) prefixBytes += 1;
    this.#reserve(prefixBytes);
    this.#bytes.copyWithin(start - 1 + prefixBytes, start, end);
    this.#length = start - 1;
    this.#varint64(length, 0);
    this.#length = end + prefixBytes - 1;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
