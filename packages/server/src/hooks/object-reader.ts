import { type Bytes, jsonElements, jsonMembers } from '@holdfast/protocol';
import { jsonBytes } from '../api/raw-json.ts';

/** The backend's answer has a member that is not what the hook's documentation says. */
export class HookAnswerError extends Error {
  override readonly name = 'HookAnswerError';
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Reads members of a JSON object in a backend's answer. A member that is absent or null is
 * `undefined`, except for raw members and payloads, where null is a value. Values are never quoted in errors:
 * they may be secrets.
 *
 * @throws HookAnswerError naming the member, what was expected and what was found.
 */
export class ObjectReader {
  readonly #members: ReadonlyMap<string, string>;
  readonly #path: string;

  /** `json` is valid JSON text; `path` names it in errors, and is empty for the whole answer. */
  constructor(json: string, path = '') {
    const members = jsonMembers(json);
    if (members === undefined) {
      const name = path === '' ? 'the answer' : path;
      throw new HookAnswerError(`${name} must be an object, not ${describe(JSON.parse(json))}`);
    }
    this.#members = members;
    this.#path = path;
  }

  names(): Iterable<string> {
    return this.#members.keys();
  }

  string(name: string): string | undefined {
    return this.#read(name, 'a string', isString);
  }

  boolean(name: string): boolean | undefined {
    return this.#read(name, 'true or false', (value) => typeof value === 'boolean');
  }

  /** A whole number from 0 that JavaScript can hold exactly. */
  integer(name: string): number | undefined {
    return this.#read(name, 'a whole number from 0 to 2^53 - 1', isInteger);
  }

  strings(name: string): readonly string[] | undefined {
    return this.#read(name, 'an array of strings', isStrings);
  }

  stringMap(name: string): Readonly<Record<string, string>> | undefined {
    return this.#read(name, 'an object of strings', isStringMap);
  }

  object(name: string): ObjectReader | undefined {
    const json = this.#members.get(name);
    if (json === undefined || json === 'null') return undefined;
    return new ObjectReader(json, this.#pathOf(name));
  }

  objects(name: string): readonly ObjectReader[] | undefined {
    const json = this.#members.get(name);
    if (json === undefined || json === 'null') return undefined;
    const elements = jsonElements(json);
    if (elements === undefined) {
      throw new HookAnswerError(`${this.#pathOf(name)} must be an array of objects`);
    }
    return elements.map(
      (element, index) => new ObjectReader(element, `${this.#pathOf(name)}[${index}]`),
    );
  }

  /** JSON text as the backend wrote it; null is a value. */
  raw(name: string): Bytes | undefined {
    const json = this.#members.get(name);
    return json === undefined ? undefined : jsonBytes(json);
  }

  /** A payload: base64 in `b64<name>` when that is there and not empty, else the JSON of `<name>`. */
  payload(name: string): Bytes | undefined {
    const encoded = this.string(`b64${name}`);
    if (encoded === undefined || encoded === '') return this.raw(name);
    if (!base64.test(encoded)) {
      throw new HookAnswerError(`${this.#pathOf(`b64${name}`)} must be standard base64`);
    }
    return Buffer.from(encoded, 'base64');
  }

  #read<Value>(
    name: string,
    expected: string,
    isExpected: (value: unknown) => value is Value,
  ): Value | undefined {
    const json = this.#members.get(name);
    if (json === undefined || json === 'null') return undefined;
    const value = JSON.parse(json) as unknown;
    if (isExpected(value)) return value;
    throw new HookAnswerError(`${this.#pathOf(name)} must be ${expected}, not ${describe(value)}`);
  }

  #pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isString);
}

function isStringMap(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(isString);
}

/** The kind of a value, never the value. */
function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.every(isString) ? 'an array' : 'an array of other things';
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? 'a whole number' : 'a number like that';
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
