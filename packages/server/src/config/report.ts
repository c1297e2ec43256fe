import type { Layers } from './layers.ts';
import { displayPath, type OptionPath } from './option-path.ts';
import type { ConfigProblem, ConfigWarning } from './problem.ts';

/** Collects what rules find, with the option's key and the source of its value. */
export class Report {
  readonly #layers: Layers;
  readonly problems: ConfigProblem[] = [];
  readonly warnings: ConfigWarning[] = [];

  constructor(layers: Layers) {
    this.#layers = layers;
  }

  /** Something that cannot work. All are reported at once, and the server does not start. */
  problem(path: OptionPath, fault: Pick<ConfigProblem, 'problem' | 'reason' | 'remedy'>): void {
    this.problems.push({ key: this.#key(path), ...fault, ...this.#origin(path) });
  }

  warning(path: OptionPath, message: string): void {
    this.warnings.push({ key: this.#key(path), message, ...this.#origin(path) });
  }

  #key(path: OptionPath): string {
    return displayPath(path, this.#layers.raw);
  }

  #origin(path: OptionPath): Pick<ConfigProblem, 'origin'> {
    const origin = this.#layers.originOf(path);
    return origin === undefined ? {} : { origin };
  }
}
