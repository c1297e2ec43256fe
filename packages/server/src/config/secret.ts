import { inspect } from 'node:util';

/** What stands in every output in the place of a secret. */
export const mask = '***';

/**
 * A value that must never be printed. Every way in which a value becomes text by accident (string
 * templates, JSON, `console.log`, a log line) shows {@link mask}; only {@link reveal} gives it.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** Nothing was configured. */
  get isEmpty(): boolean {
    return this.#value === '';
  }

  /** The value itself. Never hand it to anything that prints. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return this.isEmpty ? '' : mask;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return `Secret(${this.toString()})`;
  }
}
