import { Duration } from './duration.ts';
import type { OptionNode } from './option.ts';
import { mask, Secret } from './secret.ts';

/** Parts of a URL in which people put secrets (user, password, query) are masked wherever it is printed. */
function maskUrl(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^\s/]*@/i, `$1${mask}@`)
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^?\s]*\?).+$/i, `$1${mask}`);
}

/** A value as plain data that can be written to a file. Secrets are masked unless `revealed`. */
export function plainValue(value: unknown, { revealed }: { readonly revealed: boolean }): unknown {
  if (value instanceof Secret) return revealed ? value.reveal() : value.toString();
  if (value instanceof Duration) return value.toString();
  if (typeof value === 'string') return revealed ? value : maskUrl(value);
  if (Array.isArray(value)) return value.map((item) => plainValue(item, { revealed }));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, plainValue(item, { revealed })]),
    );
  }
  return value;
}

/** An option's value in one line, as it would be written in a file. Secrets are masked. */
export function showValue(node: OptionNode, value: unknown): string {
  const plain = plainValue(value, { revealed: false });
  return node.kind === 'duration' ? String(plain) : JSON.stringify(plain);
}
