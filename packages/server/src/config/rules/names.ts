import type { OptionPath } from '../option-path.ts';
import type { Report } from '../report.ts';

const namePattern = /^[-a-zA-Z0-9_.]{2,}$/;

/** Checks the names of a list's elements: well formed and each there once. */
export function checkNames(list: OptionPath, names: readonly string[], report: Report): void {
  const seen = new Set<string>();
  names.forEach((name, index) => {
    if (!namePattern.test(name)) {
      report.problem([...list, index, 'name'], {
        problem: name === '' ? 'is missing' : `is ${JSON.stringify(name)}`,
        reason: 'a name is two characters or more, of letters, digits, "_", "." and "-"',
        remedy: 'Choose another name.',
      });
    } else if (seen.has(name)) {
      report.problem([...list, index, 'name'], {
        problem: `is ${JSON.stringify(name)} a second time`,
        reason: 'it would be unclear which of the entries is meant',
        remedy: 'Merge the entries or rename one of them.',
      });
    }
    seen.add(name);
  });
}
