import type { FilterNode } from '@holdfast/protocol';

export type TagsFilter =
  | { readonly problem: string }
  | {
      readonly problem?: undefined;
      readonly matches: (tags: Readonly<Record<string, string>> | undefined) => boolean;
    };

export function compileTagsFilter(_node: FilterNode): TagsFilter {
  return { problem: 'tags filters are not available' };
}
