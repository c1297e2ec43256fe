import type { ChannelChange, ChannelRecord } from '@holdfast/hub';

/** A channel as changes that write it one after another, each with at most `items` of its parts. */
export function* piecesOf(
  record: ChannelRecord,
  items: number,
): Generator<ChannelChange, void, undefined> {
  const { publications, entries, results, ...head } = record;
  const most = Math.max(publications.length, entries.length, results.length);
  for (let start = 0; start === 0 || start < most; start += items) {
    yield {
      ...head,
      publications: publications.slice(start, start + items),
      entries: entries.slice(start, start + items),
      results: results.slice(start, start + items),
      startsOver: start === 0,
      removedKeys: [],
    };
  }
}

/** What writing a change costs, roughly. */
export function sizeOf({ publications, entries, results }: ChannelChange): {
  readonly items: number;
  readonly bytes: number;
} {
  let bytes = 0;
  for (const { data } of publications) bytes += data?.length ?? 0;
  for (const { publication } of entries) bytes += publication.data?.length ?? 0;
  return { items: 1 + publications.length + entries.length + results.length, bytes };
}
