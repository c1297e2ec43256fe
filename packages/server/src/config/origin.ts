/** Where an effective value came from. */
export type Origin =
  | { readonly source: 'default' }
  | { readonly source: 'first start' }
  | { readonly source: 'generated'; readonly file: string }
  | { readonly source: 'file'; readonly file: string }
  | { readonly source: 'dotenv'; readonly file: string; readonly variable: string }
  | { readonly source: 'environment'; readonly variable: string }
  | { readonly source: 'flag'; readonly flag: string };

export const defaultOrigin: Origin = { source: 'default' };

/** In words, for people: `environment variable HOLDFAST_LOG_LEVEL`. */
export function describeOrigin(origin: Origin): string {
  switch (origin.source) {
    case 'default':
      return 'default';
    case 'first start':
      return 'profile of a start without configuration';
    case 'generated':
      return `made at the first start, kept in ${origin.file}`;
    case 'file':
      return `file ${origin.file}`;
    case 'dotenv':
      return `${origin.variable} in ${origin.file}`;
    case 'environment':
      return `environment variable ${origin.variable}`;
    case 'flag':
      return `flag ${origin.flag}`;
    default:
      return origin satisfies never;
  }
}
