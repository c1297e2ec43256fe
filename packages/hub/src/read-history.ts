import { type ReplyError, replyErrors } from '@holdfast/protocol';
import type { ChannelRules } from './namespaces.ts';
import type { Broker, HistoryPage, Position } from './ports/broker.ts';
import { isSameEpoch } from './recovery.ts';

export interface ReadHistoryOptions {
  readonly rules: ChannelRules;
  /** -1 for all, 0 for the position alone. */
  readonly limit: number;
  readonly since?: Position;
  readonly reverse?: boolean;
}

/** Reads a page of history; error 112 when `since` is a position of another epoch. */
export async function readHistory(
  broker: Broker,
  channel: string,
  { rules, limit, since, reverse = false }: ReadHistoryOptions,
): Promise<HistoryPage | ReplyError> {
  const page = await broker.history(channel, {
    limit,
    reverse,
    historyMetaTtlMs: rules.historyMetaTtlMs,
    ...(since === undefined ? {} : { sinceOffset: since.offset }),
  });
  if (since !== undefined && !isSameEpoch(since.epoch, page.position.epoch)) {
    return replyErrors.unrecoverablePosition;
  }
  return page;
}
