import { type Bytes, jsonMembers } from '@holdfast/protocol';
import { type JsonObject, isJsonObject } from './compact-jws.ts';

/** 9999-12-31. Beyond it nobody means seconds. */
const maxUnixSeconds = 253_402_300_799;

/**
 * Reads members of one JSON object with their types. A wrong type is noted in `problems` and read
 * as absent; `null` is absent too, as Go's decoder has it, which is what stock tokens were tried
 * against.
 */
export class ClaimReader {
  readonly #object: JsonObject;
  readonly #text: string;
  readonly #path: string;
  readonly #problems: string[];
  #sources: ReadonlyMap<string, string> | undefined;

  /**
   * @param text the JSON text of `object`.
   * @param problems takes one line per wrong claim; shared with the readers of inner objects.
   */
  constructor(
    object: JsonObject,
    text: string,
    { path = '', problems }: { readonly path?: string; readonly problems: string[] },
  ) {
    this.#object = object;
    this.#text = text;
    this.#path = path;
    this.#problems = problems;
  }

  /** A string that survives UTF-8: two users must never become one by a replaced lone surrogate. */
  string(name: string): string | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && value.isWellFormed()) return value;
    return this.#wrong(name, 'a string', value);
  }

  /** A string, or a whole number that is read as its decimal digits. */
  stringOrInteger(name: string): string | undefined {
    const value = this.#value(name);
    return Number.isSafeInteger(value) ? String(value) : this.string(name);
  }

  strings(name: string): readonly string[] | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
    return isList ? value : this.#wrong(name, 'a list of strings', value);
  }

  /** One string or a list of them (`aud`, RFC 7519 §4.1.3). */
  stringOrStrings(name: string): readonly string[] | undefined {
    const value = this.#value(name);
    return typeof value === 'string' ? [value] : this.strings(name);
  }

  /** Unix seconds, rounded down to whole ones. */
  unixSeconds(name: string): number | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      return this.#wrong(name, 'a number of seconds', value);
    }
    // RFC 7519 §2 allows fractions, which Python's `time.time()` has.
    const seconds = Math.floor(value);
    if (Math.abs(seconds) <= maxUnixSeconds) return seconds;
    const hint = Math.abs(seconds) <= maxUnixSeconds * 1000 ? '; these look like milliseconds' : '';
    this.#problems.push(`"${this.#path}${name}" is beyond the year 9999${hint}`);
    return undefined;
  }

  boolean(name: string): boolean | undefined {
    const value = this.#value(name);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.#wrong(name, 'true or false', value);
  }

  /** Any JSON, as it was written. */
  json(name: string): Bytes | undefined {
    if (this.#value(name) === undefined) return undefined;
    return Buffer.from(this.#source(name));
  }

  /** Bytes in standard base64 with padding (RFC 4648 §4); empty text is absent. */
  base64(name: string): Bytes | undefined {
    const value = this.string(name);
    if (value === undefined || value === '') return undefined;
    const bytes = Buffer.from(value, 'base64');
    if (bytes.toString('base64') === value) return bytes;
    return this.#wrong(name, 'standard base64 with padding', value);
  }

  /** `b64name` when it is there, else `name` as JSON. */
  payload(name: string): Bytes | undefined {
    return this.base64(`b64${name}`) ?? this.json(name);
  }

  object(name: string): ClaimReader | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) return this.#wrong(name, 'an object', value);
    return new ClaimReader(value, this.#source(name), {
      path: `${this.#path}${name}.`,
      problems: this.#problems,
    });
  }

  names(): readonly string[] {
    return Object.keys(this.#object);
  }

  #value(name: string): unknown {
    if (!Object.hasOwn(this.#object, name)) return undefined;
    return this.#object[name] ?? undefined;
  }

  #source(name: string): string {
    this.#sources ??= jsonMembers(this.#text) ?? new Map<string, string>();
    return this.#sources.get(name) ?? 'null';
  }

  #wrong(name: string, expected: string, value: unknown): undefined {
    const shape = Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
    const found = typeof value === 'number' ? String(value) : shape;
    this.#problems.push(`"${this.#path}${name}" must be ${expected}, it is ${found}`);
    return undefined;
  }
}
