import { TaskError } from './errors.ts';
import { resolveKind, type Kind, type KindOptions } from './kind.ts';

const maxDefaults = 1000;

/** The kinds of a program, by name. */
export class Kinds {
  readonly #kinds = new Map<string, Kind>();
  /** Of kinds that only other programs know. */
  readonly #defaults = new Map<string, Kind>();

  get names(): readonly string[] {
    return [...this.#kinds.keys()];
  }

  has(name: string): boolean {
    return this.#kinds.has(name);
  }

  /** The kind, or its defaults when this program does not know it. */
  get(name: string): Kind {
    const known = this.#kinds.get(name) ?? this.#defaults.get(name);
    if (known !== undefined) return known;
    const kind = resolveKind(name);
    if (this.#defaults.size < maxDefaults) this.#defaults.set(name, kind);
    return kind;
  }

  /** @throws {@link TaskError} `task_bad_request` */
  add(name: string, options: KindOptions = {}): void {
    if (this.#kinds.has(name)) {
      throw new TaskError('task_bad_request', `kind ${name} is registered already`);
    }
    this.#kinds.set(name, resolveKind(name, options));
  }
}
