/**
 * Decides what a recovering subscriber gets. Pure; the rules are those of Centrifugo's history and
 * recovery, see `docs/protocol.md`.
 *
 * @module
 */
import type { Publication } from '@holdfast/protocol';
import type { HistoryPage, Position } from './ports/broker.ts';

export interface Recovery {
  readonly recovered: boolean;
  /** Everything missed in order, or nothing at all: never a part. */
  readonly publications: readonly Publication[];
}

/** What was missed is gone, or too much to be sent. */
export const unrecovered: Recovery = { recovered: false, publications: [] };

/** The empty epoch means "any"; everything else must match exactly (also `_`, which never does). */
export function isSameEpoch(asked: string, current: string): boolean {
  return asked === '' || asked === current;
}

/**
 * Stream recovery: succeeds when `page`, read since the asked position, connects it without a gap to
 * the top of the same stream.
 */
export function recoverStream(since: Position, page: HistoryPage): Recovery {
  const { publications, position } = page;
  if (!isSameEpoch(since.epoch, position.epoch)) return unrecovered;
  const first = publications[0];
  const last = publications.at(-1);
  if (first === undefined || last === undefined) {
    return position.offset === since.offset ? { recovered: true, publications } : unrecovered;
  }
  const isGapless = first.offset === since.offset + 1 && last.offset === position.offset;
  return isGapless ? { recovered: true, publications } : unrecovered;
}

/**
 * Cache recovery: only the latest publication matters, so missing older ones is no loss. `latest` is
 * the newest publication of interest that history still has.
 */
export function recoverCache(
  since: Position | undefined,
  latest: Publication | undefined,
  top: Position,
): Recovery {
  const isUpToDate =
    since !== undefined && since.epoch === top.epoch && since.offset === top.offset;
  if (isUpToDate) return { recovered: true, publications: [] };
  return latest === undefined ? unrecovered : { recovered: true, publications: [latest] };
}
