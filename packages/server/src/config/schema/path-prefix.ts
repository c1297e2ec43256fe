import { text, type OptionSchema } from '../option.ts';

/** Where an endpoint is served: a path from the root, without a slash at its end. */
export function pathPrefix(
  defaultValue: string,
  what: string,
  extras: { readonly own?: boolean } = {},
): OptionSchema<string> {
  return text(defaultValue, `Path of ${what}.`, {
    ...extras,
    check(path) {
      if (path === '') return undefined;
      if (!path.startsWith('/')) return 'does not begin with "/"';
      if (path.length > 1 && path.endsWith('/')) return 'ends with "/"';
      return /[\s?#]/.test(path) ? 'contains a space, "?" or "#"' : undefined;
    },
  });
}
